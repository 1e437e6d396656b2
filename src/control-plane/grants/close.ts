import { beginRevoking, type Ending as EndingReason, giveUp } from '../../domain/grant.ts';
import type { AuditDebt } from '../audit/debt.ts';
import type { Actor } from '../audit/record.ts';
import { type Change, toDate } from '../changes/change.ts';
import { endLeases } from '../credentials/leases.ts';
import { among } from '../store/among.ts';
import { type InsertColumns, insertRows } from '../store/insert-rows.ts';
import { leaveTokens } from '../personal-tokens/leave.ts';
import { lastTokenExpiries } from './chain-leases.ts';
import { type GrantChange, type HeldGrant, saveGrants } from './rows.ts';
import { tellOfEndings } from './tell.ts';

/** Why a grant is ended, and at whose word. */
export interface Ending {
  readonly reason: EndingReason;
  readonly actor?: Actor;
  /** What the person who revokes says. */
  readonly comment?: string;
  /** The version of the policy that was asked whether it may be ended; where it was asked. */
  readonly policyVersion?: string;
}

/**
 * Begins the end of a live grant: its state, the effect that removes the membership and the record, in one change.
 *
 * @throws {OamError} `grant_not_active`.
 */
export async function closeGrant<G extends HeldGrant>(
  change: Change,
  debt: AuditDebt,
  grant: G,
  ending: Ending,
): Promise<G> {
  const expiries = await lastTokenExpiries(change, [grant]);
  const next = beginRevoking(grant, ending.reason, expiries.get(grant.chainId));
  const detail = {
    ...(ending.comment !== undefined && { reason: ending.comment }),
    ...(ending.policyVersion !== undefined && { policyVersion: ending.policyVersion }),
  };
  await beginRemovals(change, debt, [{ previous: grant, next, actor: ending.actor, detail }]);
  return next;
}

/**
 * Gives up a grant that cannot become active; what may have been written is removed.
 *
 * @param policyVersion the version of the policy that does not allow it any more; where that is why.
 */
export async function abandonGrant(
  change: Change,
  debt: AuditDebt,
  grant: HeldGrant,
  trouble: string,
  policyVersion?: string,
): Promise<void> {
  const next = giveUp(grant, trouble);
  const detail = policyVersion === undefined ? {} : { policyVersion };
  if (next !== grant) await beginRemovals(change, debt, [{ previous: grant, next, detail }]);
}

/** An end that begins, at whose word, and what is told of it besides. */
export interface BeginningEnd extends GrantChange {
  readonly actor?: Actor | undefined;
  readonly detail?: Readonly<Record<string, string>>;
}

const REMOVAL_COLUMNS = {
  grant_id: 'uuid',
  kind: 'text',
  group_id: 'text',
  urgency: 'smallint',
  next_attempt_at: 'timestamptz',
  created_at: 'timestamptz',
} as const satisfies InsertColumns<string>;

/** Commits to the removals that ends demand: states, effects, what is left of tokens, and the record. */
export async function beginRemovals(
  change: Change,
  debt: AuditDebt,
  endings: readonly BeginningEnd[],
): Promise<void> {
  if (endings.length === 0) return;
  const ids = endings.map(({ next }) => next.id);
  await saveGrants(change, endings);
  await change.trx
    .updateTable('effect')
    .set({ state: 'dropped', settled_at: toDate(change.nowMs) })
    .where('grant_id', '=', among('uuid', ids))
    .where('kind', '=', 'add_member')
    .where('state', '=', 'due')
    .execute();
  await insertRows(
    change.trx,
    'effect',
    REMOVAL_COLUMNS,
    endings.map(({ next }) => ({
      grant_id: next.id,
      kind: 'remove_member',
      group_id: next.membership.groupId,
      urgency: next.urgency,
      next_attempt_at: toDate(change.nowMs),
      created_at: toDate(change.nowMs),
    })),
  );
  const ended = endings.map(({ next }) => next);
  await endLeases(change, ended);
  await leaveTokens(change, ended);
  await tellOfEndings(
    change,
    debt,
    endings.map(({ next, actor, detail }) => ({ kind: 'grant.revoking', grant: next, actor, detail })),
  );
}
