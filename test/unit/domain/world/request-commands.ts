import assert from 'node:assert/strict';

import fc from 'fast-check';

import { edited, type Name, PEOPLE } from './company.ts';
import {
  type Against,
  attempt,
  command,
  grantIdOf,
  index,
  MINUTE,
  note,
  onRequest,
  requester,
  roleId,
  who,
  type World,
} from './command.ts';
import type { Asked, Ledger } from './ledger.ts';

export const ask = fc
  .record({
    name: requester,
    roleId,
    minutes: fc.integer({ min: 5, max: 60 }),
    startsInMinutes: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined, freq: 3 }),
    breakGlass: fc.integer({ min: 0, max: 5 }).map((dice) => dice === 0),
  })
  .map(({ name, roleId: role, minutes, startsInMinutes, breakGlass }) =>
    command(
      `${name} asks for ${role}, ${minutes} min${breakGlass ? ', in an emergency' : ''}`,
      (ledger, world) => {
        const startsAtMs =
          startsInMinutes === undefined || breakGlass ? undefined : ledger.nowMs + startsInMinutes * MINUTE;
        const wish = { roleId: role, minutes, startsAtMs, breakGlass };
        const request = attempt(
          ledger,
          'ask',
          [
            !ledger.isFresh(name) && 'sign_in_again',
            ledger.factsOf(name).groups === undefined && 'groups_overflowed',
          ],
          () => world.desk.ask(name, wish),
        );
        if (request === undefined) return;
        note(ledger, world, { ...wish, id: request.id, requester: name, extended: undefined });
      },
    ),
  );

/** Reasons against somebody's decision on a request, whichever it is. */
function againstDecision(ledger: Ledger, asked: Asked, name: Name): Against {
  return [
    !ledger.isFresh(name) && 'sign_in_again',
    !ledger.isOpen(asked) && 'already_decided',
    asked.requester === name && 'own_request',
    ledger.factsOf(name).groups === undefined && 'groups_overflowed',
  ];
}

const maySpeak = (ledger: Ledger, name: Name, groups: readonly string[]): boolean =>
  ledger.factsOf(name).groups?.some((group) => groups.includes(group)) ?? false;

function approveAs(
  name: Name,
  minutes: number | undefined,
  asked: Asked,
  ledger: Ledger,
  world: World,
): void {
  const reasons = (): Against => {
    const stage = ledger.waitingStage(asked);
    const groups = stage === undefined ? [] : (asked.stages[stage]?.approverGroups ?? []);
    return [
      ...againstDecision(ledger, asked, name),
      stage === undefined && 'already_decided',
      asked.yes.some((word) => word.who === name) && 'already_decided',
      !maySpeak(ledger, name, groups) && 'not_allowed',
      (minutes ?? 0) > (asked.approvedMinutes ?? asked.minutes) && 'window_too_long',
    ];
  };
  ledger.lapseIfDue(asked);
  // What comes of being judged anew is noted afterwards: the desk gives the id of a grant.
  const moved = ledger.isOnOldGround(asked) && ledger.factsOf(asked.requester).groups !== undefined;
  const request = attempt(ledger, 'approve', moved ? ['precondition_failed'] : reasons(), () =>
    world.desk.approve(asked.id, name, minutes),
  );
  if (moved) ledger.judgeAnew(asked, grantIdOf(world, asked));
  if (request === undefined) return;
  const stage = ledger.waitingStage(asked);
  assert.ok(stage !== undefined);
  asked.yes.push({ who: name, stage });
  if (minutes !== undefined && minutes < (asked.approvedMinutes ?? asked.minutes)) {
    asked.approvedMinutes = minutes;
  }
  ledger.settle(asked, grantIdOf(world, asked));
}

export const approve = fc
  .record({ at: index, name: who, minutes: fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined }) })
  .map(({ at, name, minutes }) =>
    onRequest(`${name} approves${minutes === undefined ? '' : ` ${minutes} min`}`, (asked, ledger, world) => {
      approveAs(name, minutes, asked, ledger, world);
    })(at),
  );

export const deny = fc.record({ at: index, name: who }).map(({ at, name }) =>
  onRequest(`${name} denies`, (asked, ledger, world) => {
    ledger.lapseIfDue(asked);
    const moved = ledger.isOnOldGround(asked) && ledger.factsOf(asked.requester).groups !== undefined;
    const groups = asked.stages.flatMap(({ approverGroups }) => approverGroups);
    const reasons = [
      ...againstDecision(ledger, asked, name),
      !maySpeak(ledger, name, groups) && 'not_allowed',
    ];
    const denied = attempt(ledger, 'deny', moved ? ['precondition_failed'] : reasons, () =>
      world.desk.deny(asked.id, name),
    );
    if (moved) ledger.judgeAnew(asked, grantIdOf(world, asked));
    if (denied !== undefined) asked.state = 'denied';
  })(at),
);

export const cancel = fc.record({ at: index, name: requester }).map(({ at, name }) =>
  onRequest(`${name} cancels`, (asked, ledger, world) => {
    const cancelled = attempt(
      ledger,
      'cancel',
      [
        asked.requester !== name && 'not_allowed',
        !(ledger.isOpen(asked) && ledger.nowMs < asked.lapsesAtMs) && 'already_decided',
      ],
      () => world.desk.cancel(asked.id, name),
    );
    if (cancelled !== undefined) asked.state = 'cancelled';
  })(at),
);

/** Time passes, and what is on its way to Databricks lands. */
export function passTime(ms: number, ledger: Ledger, world: World): void {
  ledger.nowMs += ms;
  world.surroundings.pass(ms);
}

export const pass = fc
  .oneof(
    fc.integer({ min: 1, max: 2 * MINUTE }),
    fc.integer({ min: 1, max: 5 * MINUTE }),
    fc.integer({ min: 1, max: 30 }).map((minutes) => minutes * MINUTE),
  )
  .map((ms) =>
    command(`${Math.round(ms / 1_000)} s pass`, (ledger, world) => {
      passTime(ms, ledger, world);
    }),
  );

export const sweep = fc.constant(
  command('what is overdue happens', (ledger, world) => {
    world.desk.sweep();
    for (const asked of ledger.asked) ledger.lapseIfDue(asked);
    for (const given of ledger.given) {
      if (!ledger.isLive(given) || ledger.nowMs < given.deadlineAtMs) continue;
      if (given.state === 'active') {
        ledger.leave(given, 'expired');
        ledger.count('access expired');
      } else {
        ledger.giveUp(given);
      }
    }
    // What lost its ground by an end that was noticed just now lapses the next time.
  }),
);

function signInAs(name: Name, groups: 'all' | 'none' | 'overflowed', ledger: Ledger, world: World): void {
  const names = groups === 'all' ? PEOPLE[name].groups : [];
  world.desk.signIn(name, groups === 'overflowed' ? { kind: groups } : { kind: 'listed', names });
  ledger.facts.set(name, {
    seenAtMs: ledger.nowMs,
    groups: groups === 'overflowed' ? undefined : names,
  });
  for (const asked of ledger.asked) {
    if (asked.state !== 'awaiting_requester' || asked.requester !== name) continue;
    ledger.lapseIfDue(asked);
    if (!ledger.isOpen(asked) || groups === 'overflowed') continue;
    if (ledger.isOnOldGround(asked)) ledger.judgeAnew(asked, grantIdOf(world, asked));
    else ledger.settle(asked, grantIdOf(world, asked));
    if (!ledger.isOpen(asked)) ledger.count('a return let a request be granted');
  }
}

export const signIn = fc
  .record({
    name: fc.oneof(who, requester),
    groups: fc.constantFrom<'all' | 'none' | 'overflowed'>('all', 'all', 'all', 'none', 'overflowed'),
  })
  .map(({ name, groups }) =>
    command(`${name} signs in, groups: ${groups}`, (ledger, world) => {
      signInAs(name, groups, ledger, world);
    }),
  );

/** Nobody did anything wrong, and yet nothing is granted on what was known an hour ago. */
export const approvedWhileAway = fc.boolean().chain((returns) =>
  index.map(
    onRequest(
      `it is approved while its requester is away${returns ? ', who returns' : ''}`,
      (asked, ledger, world) => {
        passTime(61 * MINUTE, ledger, world);
        for (const name of ['lena', 'max', 'sam'] as const) signInAs(name, 'all', ledger, world);
        for (const name of ['lena', 'max', 'sam'] as const) approveAs(name, undefined, asked, ledger, world);
        if (returns) signInAs(asked.requester, 'all', ledger, world);
      },
    ),
  ),
);

export const changeRole = roleId.map((id) =>
  command(`the role ${id} changes`, (ledger, { desk }) => {
    const role = desk.roles.get(id);
    assert.ok(role);
    const revision = ledger.role(id).revision + 1;
    const next = edited(role, revision);
    desk.roles.set(id, next);
    ledger.roles.set(id, { revision, stages: next.approval });
  }),
);
