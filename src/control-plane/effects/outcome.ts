import { sql } from 'kysely';

import { DatabricksError } from '../../databricks/index.ts';
import { backoffMs } from '../../domain/backoff.ts';
import { hasCode, OamError } from '../../domain/errors.ts';
import {
  activate,
  confirmAbsent,
  type Departure,
  markStuck,
  unstick,
  withTrouble,
} from '../../domain/grant.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import { tellWhatOutlives } from '../credentials/leases.ts';
import { type GrantChange, saveGrants } from '../grants/rows.ts';
import { tellAgain, tellOfEndings, tellOfOpening } from '../grants/tell.ts';
import type { DueEffect } from './due.ts';
import { type OutcomeParts, putOff, readAgain, type Settling, settling, updateEffects } from './settle.ts';

/** After so many failures in a row a removal is called stuck: an alarm, not an end. */
const STUCK_AFTER_ATTEMPTS = 6;

/** Reads showed the members: the windows begin. */
export async function sawPresent(parts: OutcomeParts, effects: readonly DueEffect[]): Promise<void> {
  await settle(parts, effects, async (change, settlings) => {
    await updateEffects(change, effectsOf(settlings), {
      ...{ state: 'done', settled_at: toDate(change.nowMs), first_lost_at: null },
    });
    const changes = steps(settlings, ({ grant }) => activate(grant, change.nowMs, change.nowMs));
    await saveGrants(change, changes);
    for (const { next } of changes) {
      await tellOfOpening(change, 'grant.active', next, { minutes: next.minutes });
    }
  });
}

/** Reads do not show the members yet. */
export async function notYetPresent(parts: OutcomeParts, effects: readonly DueEffect[]): Promise<void> {
  await settle(parts, effects, (change, settlings) =>
    readAgain(change, effectsOf(settlings), parts.random()),
  );
}

/**
 * Reads do not show the members any more. Absence is believed when a second read, later than any write that may still
 * be on its way, says the same.
 *
 * @param kind `absent` where the group was read without them, `groupGone` where it was seen that there is none any more.
 */
export async function sawAbsent(
  parts: OutcomeParts,
  effects: readonly DueEffect[],
  kind: 'absent' | 'groupGone',
): Promise<void> {
  await settle(parts, effects, async (change, settlings) => {
    const firstSeen = (settling: Settling): number | undefined => toMs(settling.effect.row.first_absent_at);
    const first = settlings.filter((each) => firstSeen(each) === undefined);
    await updateEffects(change, effectsOf(first), {
      // Somebody may have told of an earlier look meanwhile: the first one counts.
      first_absent_at: sql<Date>`coalesce(first_absent_at, ${toDate(change.nowMs)})`,
      next_attempt_at: toDate(change.nowMs + parts.absenceConfirmMs),
      attempts: 0,
    });
    await calmDown(change, first);

    const again = settlings.filter((each) => !first.includes(each));
    const [early, confirmed] = parted(
      again,
      (each) => change.nowMs - (firstSeen(each) ?? change.nowMs) < parts.absenceConfirmMs,
    );
    for (const each of early) {
      await updateEffects(change, [each.effect], {
        next_attempt_at: toDate((firstSeen(each) ?? change.nowMs) + parts.absenceConfirmMs),
      });
    }
    await finish(parts, change, confirmed, (each) => ({
      kind,
      absentAtMs: firstSeen(each) ?? change.nowMs,
      tokensKeepRight: each.grant.tokensKeepRight,
    }));
  });
}

/** There is nothing to remove: nothing was ever written, or another live grant demands the membership. */
export async function letGo(
  parts: OutcomeParts,
  effects: readonly DueEffect[],
  because: string,
): Promise<void> {
  await settle(parts, effects, (change, settlings) =>
    finish(parts, change, settlings, () => ({ kind: 'kept', absentAtMs: undefined }), because),
  );
}

/** The members are still, or again, to be seen: their removal is written once more. */
export async function stillPresent(parts: OutcomeParts, effects: readonly DueEffect[]): Promise<void> {
  await settle(parts, effects, async (change, settlings) => {
    const due = effectsOf(settlings);
    // Seen absent before: somebody put the member back, and waiting for reads to catch up would be in vain.
    const back = due.filter(({ row }) => row.first_absent_at !== null);
    await updateEffects(change, back, { first_absent_at: null, written_at: null });
    await readAgain(change, due, parts.random());
  });
}

/** Databricks asked to slow down. That is no failure of the writes: they keep their place among the others. */
export async function throttled(
  parts: OutcomeParts,
  effects: readonly DueEffect[],
  error: DatabricksError,
): Promise<void> {
  const trouble = parts.redactor.redact(error.sentence);
  await settle(parts, effects, async (change, settlings) => {
    // A read waits as long as was asked. A write is held back by the pace of all writes to its host.
    const reads = effectsOf(settlings).filter(({ isWriteDue }) => !isWriteDue);
    const delayMs = (error.retryAfterSeconds ?? 1) * SECOND_MS * (1 + parts.random() / 4);
    await updateEffects(change, reads, { next_attempt_at: toDate(change.nowMs + delayMs) });
    const changes = steps(settlings, ({ grant }) => withTrouble(grant, trouble));
    await saveGrants(change, changes);
    await tellAgain(
      change,
      changes.map(({ next }) => next),
    );
  });
}

/** A call failed. It is tried again, for ever; what stands in the way is told. */
export async function failed(
  parts: OutcomeParts,
  effects: readonly DueEffect[],
  error: unknown,
): Promise<void> {
  if (error instanceof DatabricksError && hasCode(error, 'databricks_throttled')) {
    return throttled(parts, effects, error);
  }
  const trouble = parts.redactor.redact(troubleOf(error));
  const reason = parts.redactor.redact(error instanceof Error ? error.message : 'unknown');
  for (const { row, grant } of effects) {
    parts.logger.warn('A write to Databricks failed and will be tried again.', {
      kind: row.kind,
      grantId: grant.id,
      attempts: row.attempts + 1,
      reason,
    });
  }
  const refused = await settling(parts, effects, async (change, settlings) => {
    const retryAfter = error instanceof DatabricksError ? error.retryAfterSeconds : undefined;
    await putOff(change, effectsOf(settlings), (attempts) => backoffMs(attempts, parts.random(), retryAfter));
    const [stuck, waiting] = parted(settlings, isStuckNow);
    const alarms = steps(stuck, ({ grant }) => markStuck(grant, trouble));
    const attempts = new Map(stuck.map(({ effect, grant }) => [grant.id, effect.row.attempts + 1]));
    const troubles = steps(waiting, ({ grant }) => withTrouble(grant, trouble));
    await saveGrants(change, [...alarms, ...troubles]);
    await tellOfEndings(
      change,
      parts.debt,
      alarms.map(({ next }) => ({
        kind: 'grant.revoke_stuck',
        grant: next,
        detail: { attempts: attempts.get(next.id), trouble },
      })),
    );
    await tellAgain(
      change,
      troubles.map(({ next }) => next),
    );
  });
  // Whatever stands in the way of storing it: it is not tried again at once.
  for (const { effect, error: refusal } of refused) {
    parts.logger.error('What happened to a write to Databricks cannot be stored.', {
      grantId: effect.grant.id,
      reason: parts.redactor.redact(refusal.message),
    });
    await inChange(parts.db, (change) =>
      putOff(change, [effect], (attempts) => backoffMs(attempts, parts.random())),
    );
  }
}

/** A change of effects; what the store refuses of it has failed. */
async function settle(
  parts: OutcomeParts,
  effects: readonly DueEffect[],
  work: (change: Change, settlings: readonly Settling[]) => Promise<void>,
): Promise<void> {
  for (const { effect, error } of await settling(parts, effects, work)) {
    await failed(parts, [effect], error);
  }
}

function isStuckNow({ effect, grant }: Settling): boolean {
  const attempts = effect.row.attempts + 1;
  return (
    effect.row.kind === 'remove_member' && grant.state === 'revoking' && attempts >= STUCK_AFTER_ATTEMPTS
  );
}

async function finish(
  parts: OutcomeParts,
  change: Change,
  settlings: readonly Settling[],
  departureOf: (settling: Settling) => Departure,
  because?: string,
): Promise<void> {
  await updateEffects(change, effectsOf(settlings), { state: 'done', settled_at: toDate(change.nowMs) });
  const changes = steps(settlings, (each) => confirmAbsent(each.grant, departureOf(each)));
  await saveGrants(change, changes);
  for (const [what, some] of Map.groupBy(changes, ({ next }) => next.outlives?.what)) {
    if (what === undefined) continue;
    await tellWhatOutlives(
      change,
      some.map(({ next }) => next),
      what,
    );
  }
  await tellOfEndings(
    change,
    parts.debt,
    changes.map(({ next }) => ({
      kind: next.state === 'failed' ? 'grant.failed' : 'grant.ended',
      grant: next,
      detail: because === undefined ? {} : { because },
    })),
  );
}

async function calmDown(change: Change, settlings: readonly Settling[]): Promise<void> {
  const changes = steps(settlings, ({ grant }) => withTrouble(unstick(grant), undefined));
  await saveGrants(change, changes);
  await tellAgain(
    change,
    changes.map(({ next }) => next),
  );
}

/** The grants that take a step, each once: two effects of one grant are never due at the same time. */
function steps(
  settlings: readonly Settling[],
  stepOf: (settling: Settling) => Settling['grant'],
): GrantChange[] {
  return settlings.flatMap((settling) => {
    const next = stepOf(settling);
    return next === settling.grant ? [] : [{ previous: settling.grant, next }];
  });
}

function effectsOf(settlings: readonly Settling[]): DueEffect[] {
  return settlings.map(({ effect }) => effect);
}

function parted<T>(things: readonly T[], isFirst: (thing: T) => boolean): [T[], T[]] {
  return [things.filter(isFirst), things.filter((thing) => !isFirst(thing))];
}

/** OAM itself was refused: what the client tells a caller to do is no help to whoever holds the access, or leads them. */
const REFUSED_TO_OAM: ReadonlySet<string> = new Set([
  'databricks_permission_denied',
  'databricks_unauthenticated',
  'databricks_token_refused',
]);

function troubleOf(error: unknown): string {
  if (error instanceof DatabricksError && REFUSED_TO_OAM.has(error.code)) {
    const sentence = 'Databricks does not let OAM change the group of this role. Tell your administrator.';
    return new OamError(error.code, sentence, error.detail === undefined ? {} : { detail: error.detail })
      .message;
  }
  if (error instanceof OamError) return error.message;
  return 'Something unexpected stands in the way; the log of the control plane says what. It is tried again.';
}
