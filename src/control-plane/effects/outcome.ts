import type { Updateable } from 'kysely';

import { DatabricksError } from '../../databricks/index.ts';
import { backoffMs } from '../../domain/backoff.ts';
import { OamError } from '../../domain/errors.ts';
import {
  activate,
  confirmAbsent,
  type Departure,
  markStuck,
  unstick,
  withTrouble,
} from '../../domain/grant.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { tokensKeepRight } from '../../domain/role.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { announce } from '../events/announce.ts';
import { idsOfChain, lockGrant, saveGrant, type StoredGrant } from '../grants/rows.ts';
import { tellOfEnding, tellOfOpening } from '../grants/tell.ts';
import type { EffectTable } from '../store/tables.ts';
import type { DueEffect } from './due.ts';

/** What turns what was seen into what is so. */
export interface OutcomeParts extends Pick<Core, 'db' | 'debt' | 'logger'> {
  readonly redactor: Redactor;
  /** The wait before absence is read a second time, in milliseconds. */
  readonly absenceConfirmMs: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** After so many failures in a row a removal is called stuck: an alarm, not an end. */
const STUCK_AFTER_ATTEMPTS = 6;

/** Reads lag behind writes by about a second. */
const READ_AGAIN_MS = SECOND_MS;

/** A read showed the member: the window begins. */
export async function sawPresent(parts: OutcomeParts, effect: DueEffect): Promise<void> {
  await settling(parts, effect, async (change, grant) => {
    await updateEffect(change, effect, { state: 'done', settled_at: toDate(change.nowMs) });
    const next = activate(grant, change.nowMs, change.nowMs);
    if (next === grant) return;
    await saveGrant(change, grant, next);
    await tellOfOpening(change, 'grant.active', next, { minutes: next.minutes });
  });
}

/** A read did not show the member yet. */
export async function notYetPresent(parts: OutcomeParts, effect: DueEffect): Promise<void> {
  await settling(parts, effect, async (change) => {
    await readAgain(change, effect, parts.random());
  });
}

/**
 * A read did not show the member any more. Absence is believed when a second read, later than any write that may
 * still be on its way, says the same.
 */
export async function sawAbsent(parts: OutcomeParts, effect: DueEffect): Promise<void> {
  await settling(parts, effect, async (change, grant) => {
    const firstAbsentAtMs = toMs(effect.row.first_absent_at);
    if (firstAbsentAtMs === undefined) {
      await updateEffect(change, effect, {
        first_absent_at: toDate(change.nowMs),
        next_attempt_at: toDate(change.nowMs + parts.absenceConfirmMs),
        attempts: 0,
      });
      await calmDown(change, grant);
      return;
    }
    if (change.nowMs - firstAbsentAtMs < parts.absenceConfirmMs) {
      await updateEffect(change, effect, {
        next_attempt_at: toDate(firstAbsentAtMs + parts.absenceConfirmMs),
      });
      return;
    }
    await finish(parts, change, effect, grant, {
      kind: 'absent',
      absentAtMs: firstAbsentAtMs,
      tokensKeepRight: tokensKeepRight(grant.role.credential),
    });
  });
}

/** There is nothing to remove: nothing was ever written, or another live grant demands the membership. */
export async function letGo(parts: OutcomeParts, effect: DueEffect, because: string): Promise<void> {
  await settling(parts, effect, (change, grant) =>
    finish(parts, change, effect, grant, { kind: 'kept', absentAtMs: undefined }, because),
  );
}

/** The member is still, or again, to be seen: the removal is written once more. */
export async function stillPresent(parts: OutcomeParts, effect: DueEffect): Promise<void> {
  await settling(parts, effect, async (change) => {
    // Seen absent before: somebody put the member back, and waiting for reads to catch up would be in vain.
    if (effect.row.first_absent_at !== null) {
      await updateEffect(change, effect, { first_absent_at: null, written_at: null });
    }
    await readAgain(change, effect, parts.random());
  });
}

/** A call failed. It is tried again, for ever; what stands in the way is told. */
export async function failed(parts: OutcomeParts, effect: DueEffect, error: unknown): Promise<void> {
  const trouble = parts.redactor.redact(troubleOf(error));
  const attempts = effect.row.attempts + 1;
  parts.logger.warn('A write to Databricks failed and will be tried again.', {
    kind: effect.row.kind,
    grantId: effect.grant.id,
    attempts,
    reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
  });
  await settling(parts, effect, async (change, grant) => {
    const retryAfter = error instanceof DatabricksError ? error.retryAfterSeconds : undefined;
    await updateEffect(change, effect, {
      attempts,
      next_attempt_at: toDate(change.nowMs + backoffMs(attempts, parts.random(), retryAfter)),
    });
    const stuck =
      effect.row.kind === 'remove_member' && grant.state === 'revoking' && attempts >= STUCK_AFTER_ATTEMPTS;
    const next = stuck ? markStuck(grant, trouble) : withTrouble(grant, trouble);
    if (next === grant) return;
    await saveGrant(change, grant, next);
    if (stuck) {
      await tellOfEnding(change, parts.debt, 'grant.revoke_stuck', next, undefined, { attempts, trouble });
    } else {
      await tellAgain(change, next);
    }
  });
}

/**
 * Marks that a write begins. Committed before the call, so that a crash in the middle leaves a trace of it, and under
 * the grant's lock: an end that comes meanwhile either finds the mark and undoes the write, or this finds the end.
 *
 * @returns false where the effect is not wanted any more and nothing must be written.
 */
export async function beginWrite(parts: OutcomeParts, effect: DueEffect): Promise<boolean> {
  return inChange(parts.db, async (change) => {
    await lockGrant(change, effect.grant.id);
    return updateEffect(change, effect, { begun_at: toDate(change.nowMs) });
  });
}

/** The write that {@link beginWrite} announced was refused: Databricks knows no more of it than before. */
export async function wasNotBegun(parts: OutcomeParts, effect: DueEffect): Promise<void> {
  await settling(parts, effect, async (change) => {
    await updateEffect(change, effect, { begun_at: effect.row.begun_at });
  });
}

/** Databricks took the write; whether it is true, reads will tell. */
export async function wrote(parts: OutcomeParts, effect: DueEffect): Promise<void> {
  await settling(parts, effect, async (change, grant) => {
    await updateEffect(change, effect, { written_at: toDate(change.nowMs) });
    await parts.debt.record(change, {
      event: 'effect.written',
      requestId: grant.requestId,
      grantId: grant.id,
      roleId: grant.roleId,
      detail: {
        kind: effect.row.kind,
        group: effect.row.group_id,
        member: grant.memberId,
        failedBefore: effect.row.attempts,
      },
    });
  });
}

/**
 * A change of an effect that is still due, and of its grant. The grant is locked first, as everywhere, so that two
 * changes which take both rows take them in the same order.
 */
async function settling(
  parts: OutcomeParts,
  effect: DueEffect,
  work: (change: Change, grant: StoredGrant) => Promise<void>,
): Promise<void> {
  await inChange(parts.db, async (change) => {
    const grant = await lockGrant(change, effect.grant.id);
    const due = await change.trx
      .selectFrom('effect')
      .select('id')
      .where('id', '=', effect.row.id)
      .where('state', '=', 'due')
      .executeTakeFirst();
    if (grant !== undefined && due !== undefined) await work(change, grant);
  });
}

async function finish(
  parts: OutcomeParts,
  change: Change,
  effect: DueEffect,
  grant: StoredGrant,
  departure: Departure,
  because?: string,
): Promise<void> {
  await updateEffect(change, effect, { state: 'done', settled_at: toDate(change.nowMs) });
  const next = confirmAbsent(grant, departure);
  if (next === grant) return;
  await saveGrant(change, grant, next);
  await change.trx
    .updateTable('credential_lease')
    .set({ outlives_what: next.outlives?.what ?? 'tokenOnly' })
    .where('grant_id', 'in', idsOfChain(grant))
    .where('state', '=', 'outlives')
    .execute();
  await tellOfEnding(
    change,
    parts.debt,
    next.state === 'failed' ? 'grant.failed' : 'grant.ended',
    next,
    undefined,
    because === undefined ? {} : { because },
  );
}

async function readAgain(change: Change, effect: DueEffect, random: number): Promise<void> {
  const attempts = effect.row.attempts + 1;
  const delayMs = Math.max(READ_AGAIN_MS * (0.75 + random / 2), backoffMs(attempts, random) / 2);
  await updateEffect(change, effect, { attempts, next_attempt_at: toDate(change.nowMs + delayMs) });
}

async function calmDown(change: Change, grant: StoredGrant): Promise<void> {
  const next = withTrouble(unstick(grant), undefined);
  if (next === grant) return;
  await saveGrant(change, grant, next);
  await tellAgain(change, next);
}

async function tellAgain(change: Change, grant: StoredGrant): Promise<void> {
  if (grant.state === 'ended') return;
  await announce(change, {
    kind: `grant.${grant.state}`,
    requestId: grant.requestId,
    grantId: grant.id,
    concerns: grant.principal,
    approverGroups: [],
    team: grant.team,
  });
}

/** @returns false where the effect is settled already; it is left alone then. */
async function updateEffect(
  change: Change,
  effect: DueEffect,
  values: Updateable<EffectTable>,
): Promise<boolean> {
  const result = await change.trx
    .updateTable('effect')
    .set(values)
    .where('id', '=', effect.row.id)
    .where('state', '=', 'due')
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

function troubleOf(error: unknown): string {
  if (error instanceof OamError) return error.message;
  return 'Something unexpected stands in the way; the log of the control plane says what. It is tried again.';
}
