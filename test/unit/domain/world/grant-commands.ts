import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { Ending } from '../../../../src/domain/grant.ts';
import { compareMembers } from '../../../../src/domain/reconciliation.ts';
import {
  attempt,
  command,
  grantIdOf,
  index,
  MINUTE,
  note,
  onGrant,
  pick,
  who,
  type World,
} from './command.ts';
import { STUCK_AFTER } from './desk.ts';
import type { Given, Ledger } from './ledger.ts';
import { passTime } from './request-commands.ts';
import { CONFIRM_MS, FATES, type Fate, LATE_MS } from './surroundings.ts';

const fate = fc.oneof({ arbitrary: fc.constant<Fate>('arrives'), weight: 4 }, fc.constantFrom(...FATES));

function addMember(given: Given, what: Fate, ledger: Ledger, world: World): void {
  const isAhead = ledger.nowMs < (given.startsAtMs ?? 0);
  if (given.state !== 'scheduled' && given.state !== 'provisioning') return;
  const changed = !given.begun && !isAhead && ledger.role(given.roleId).revision !== given.revision;
  const isStale = !given.begun && !isAhead && !changed && !ledger.isFresh(given.holder);
  attempt(ledger, 'add', [isStale && 'sign_in_again'], () => {
    world.desk.add(given.id, what);
  });
  if (isAhead) ledger.count('access lay ahead');
  if (isAhead || isStale) return;
  if (changed) {
    ledger.giveUp(given);
    ledger.judgeAnew(given.asked, grantIdOf(world, given.asked));
    return;
  }
  if (given.state === 'scheduled') {
    given.state = 'provisioning';
    if (given.startsAtMs !== undefined) given.deadlineAtMs = ledger.nowMs + 30 * MINUTE;
  }
  if (what !== 'is refused') given.begun = true;
}

function lookAt(given: Given, ledger: Ledger, world: World): void {
  const isThere = world.surroundings.members.has(given.place);
  world.desk.look(given.id);
  if (given.state === 'provisioning' && given.begun && isThere) {
    const untilMs = ledger.nowMs + Math.min(given.minutes, given.graceMinutes ?? Infinity) * MINUTE;
    Object.assign(given, { state: 'active', activatedAtMs: ledger.nowMs, heldSinceMs: ledger.nowMs });
    Object.assign(given, { endsAtMs: untilMs, deadlineAtMs: untilMs });
    ledger.count('access became active');
    return;
  }
  if (!ledger.isLeaving(given)) return;
  if (!given.begun || ledger.isDemanded(given.place)) {
    if (given.begun) ledger.count('another grant kept the membership');
    ledger.end(given, undefined);
  } else if (isThere) {
    if (given.firstAbsentAtMs !== undefined) ledger.count('a late write brought a member back');
    given.firstAbsentAtMs = undefined;
  } else if (given.firstAbsentAtMs === undefined) {
    given.firstAbsentAtMs = ledger.nowMs;
  } else if (ledger.nowMs - given.firstAbsentAtMs >= CONFIRM_MS) {
    ledger.end(given, given.firstAbsentAtMs);
  }
}

export const add = fc.record({ at: index, fate }).map(({ at, fate: what }) =>
  onGrant(
    `a member is added: it ${what}`,
    (given, ledger, world) => {
      addMember(given, what, ledger, world);
    },
    'scheduled',
    'provisioning',
  )(at),
);

export const look = index.map(
  onGrant('a read shows the group', lookAt, 'provisioning', 'revoking', 'revoke_stuck'),
);

export const give = index.map(
  onGrant(
    'access is given without trouble',
    (given, ledger, world) => {
      addMember(given, 'arrives', ledger, world);
      lookAt(given, ledger, world);
    },
    'scheduled',
    'provisioning',
  ),
);

function removeMember(given: Given, what: Fate, ledger: Ledger, world: World): void {
  if (!ledger.isLeaving(given)) return;
  const isLast = given.begun && !ledger.isDemanded(given.place);
  // The one thing that must never happen: a membership goes while a grant is left.
  assert.equal(world.desk.remove(given.id, what), isLast && what !== 'is refused');
  if (!isLast) return;
  if (what !== 'is refused') {
    given.state = 'revoking';
    given.refusedRemovals = 0;
    return;
  }
  given.refusedRemovals += 1;
  if (given.refusedRemovals < STUCK_AFTER) return;
  if (given.state === 'revoking') ledger.count('a removal got stuck');
  given.state = 'revoke_stuck';
}

export const remove = fc
  .record({ at: index, fate, times: fc.constantFrom(1, 1, STUCK_AFTER) })
  .map(({ at, fate: what, times }) =>
    onGrant(
      `a member is removed: it ${what}, ${times} times`,
      (given, ledger, world) => {
        for (let time = 0; time < times; time += 1) removeMember(given, what, ledger, world);
      },
      'revoking',
      'revoke_stuck',
    )(at),
  );

export const mend = fc.constant(
  command('losses are mended', (ledger, { surroundings }) => {
    const placesIn = (...states: string[]) =>
      new Set(ledger.given.filter(({ state }) => states.includes(state)).map(({ place }) => place));
    const moving = placesIn('provisioning', 'revoking', 'revoke_stuck');
    const { lost } = compareMembers({ demanded: placesIn('active'), moving }, surroundings.members);
    for (const place of lost) surroundings.write('add', place, 'arrives');
    if (lost.length > 0) ledger.count('a loss was mended');
  }),
);

function endAccess(given: Given, reason: Ending, ledger: Ledger, world: World): void {
  const latest = ledger.latest(given);
  const ended = attempt(ledger, reason, [!ledger.isLive(latest) && 'grant_not_active'], () =>
    world.desk.end(given.id, reason),
  );
  if (ended !== undefined) ledger.leave(latest, reason);
}

export const end = fc
  .record({ at: index, reason: fc.constantFrom<Ending>('returned', 'revoked') })
  .map(({ at, reason }) =>
    onGrant(
      `access is ${reason}`,
      (given, ledger, world) => {
        endAccess(given, reason, ledger, world);
      },
      'active',
      'provisioning',
      'scheduled',
    )(at),
  );

/** What nobody sees coming: a write that was given up for lost lands after the access has ended. */
export const lateAddition = index.map(
  onGrant(
    'an addition lands after the removal',
    (given, ledger, world) => {
      addMember(given, 'arrives late', ledger, world);
      endAccess(given, 'returned', ledger, world);
      removeMember(given, 'arrives', ledger, world);
      lookAt(given, ledger, world);
      passTime(LATE_MS, ledger, world);
      lookAt(given, ledger, world);
    },
    'scheduled',
  ),
);

export const extend = fc
  .record({ at: index, minutes: fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined }) })
  .map(({ at, minutes }) =>
    onGrant(
      `the holder extends by ${minutes ?? 'the usual time'}`,
      (given, ledger, world) => {
        const name = given.holder;
        const fits = (more: number) => ledger.mayEndAt(given, (given.endsAtMs ?? 0) + more * MINUTE);
        let granted = minutes ?? 30;
        while (minutes === undefined && granted > 0 && !fits(granted)) granted -= 1;
        const request = attempt(
          ledger,
          'extend',
          [
            !ledger.isFresh(name) && 'sign_in_again',
            ledger.factsOf(name).groups === undefined && 'groups_overflowed',
            given.successor !== undefined && 'already_extended',
            given.graceMinutes !== undefined && 'bad_request',
            !ledger.isHeld(given) && 'grant_not_active',
            granted < 1 && (minutes === undefined ? 'window_too_long' : 'window_too_short'),
            !fits(granted) && 'window_too_long',
          ],
          () => world.desk.extend(given.id, name, minutes),
        );
        if (request === undefined) return;
        const { id, minutes: by } = request;
        assert.equal(by, granted);
        const wish = { id, roleId: given.roleId, minutes: by, startsAtMs: undefined, breakGlass: false };
        note(ledger, world, { ...wish, requester: name, extended: given });
      },
      'active',
    )(at),
  );

export const issueToken = index.map(
  onGrant('a token is issued', (given, ledger, world) => {
    const lease = attempt(ledger, 'token', [!ledger.isHeld(given) && 'grant_not_active'], () =>
      world.desk.issueToken(given.id),
    );
    if (lease !== undefined) given.tokens.push(Math.min(given.endsAtMs ?? 0, ledger.nowMs + 15 * MINUTE));
  }),
);

export const proveAlive = index.map((at) =>
  command(
    `a run proves that it lives (grant ${at})`,
    (ledger, world) => {
      const given = pick(
        ledger.given.filter(({ graceMinutes }) => graceMinutes !== undefined),
        at,
      );
      world.desk.proveAlive(given.id);
      if (!ledger.isHeld(given)) return;
      const longest = (given.activatedAtMs ?? 0) + given.minutes * MINUTE;
      const untilMs = Math.min(longest, ledger.nowMs + (given.graceMinutes ?? 0) * MINUTE);
      if (untilMs <= (given.endsAtMs ?? 0)) return;
      Object.assign(given, { endsAtMs: untilMs, deadlineAtMs: untilMs });
      ledger.count('a run went on');
    },
    (ledger) => ledger.given.some(({ graceMinutes }) => graceMinutes !== undefined),
  ),
);

export const review = fc.record({ at: index, name: who }).map(({ at, name }) =>
  command(
    `${name} reviews (grant ${at})`,
    (ledger, world) => {
      const due = ledger.given.filter(({ review: state }) => state !== undefined);
      const given = pick(due.length === 0 || at % 5 === 0 ? ledger.given : due, at);
      const reviewed = attempt(
        ledger,
        'review',
        [
          given.review === undefined && 'bad_request',
          given.holder === name && 'own_request',
          given.review === 'done' && 'already_decided',
        ],
        () => world.desk.review(given.id, name),
      );
      if (reviewed !== undefined) given.review = 'done';
    },
    (ledger) => ledger.given.length > 0,
  ),
);
