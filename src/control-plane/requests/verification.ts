import { randomUUID } from 'node:crypto';

import { confirmedBy, type Evidence, evidenceSentence, subjectOf } from '../../domain/evidence.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type { Verification } from '../callbacks/verification.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type Intent, wasDone } from '../http/idempotency.ts';
import { judge, type Wish } from './judgement.ts';
import { refusedByPolicy } from './refused.ts';

/** A wish that was looked at, before callbacks were asked about it. */
export interface Unverified {
  readonly requester: Principal;
  readonly role: Role;
  readonly wish: Omit<Wish, 'evidence'>;
}

/**
 * Asks the callbacks about a wish, before the change in which it is judged: nobody holds a row of the store while they
 * think. They are not asked again about a POST that was answered already, nor about what policy refuses whatever they say.
 *
 * @param prepare looks at the wish as the change itself will, and writes nothing.
 * @throws {OamError} what `prepare` throws, `refused_by_policy`, `groups_overflowed`.
 * @throws {CancelledError} when the signal fires.
 */
export async function verifyBefore(
  core: Core,
  intent: Intent,
  signal: AbortSignal,
  prepare: (change: Change) => Promise<Unverified>,
): Promise<Verification> {
  if (!core.policy.catalogue.roles.some((role) => core.callbacks.askedAbout(role).length > 0)) {
    return { requestId: randomUUID(), evidence: [] };
  }
  const { caller, operation, key, bodyHash } = intent;
  const who = JSON.stringify([caller.iss, caller.sub, operation, key, bodyHash]);
  return core.verifications(who, signal, async (still) => {
    const requestId = randomUUID();
    const unverified = await inChange(core.db, async (change) => {
      if (await wasDone(change, intent)) return undefined;
      const { requester, role, wish } = await prepare(change);
      const names = core.callbacks.askedAbout(role);
      if (names.length === 0) return undefined;
      const atBest = { ...wish, evidence: allConfirming(names, change.nowMs) };
      const decision = judge(core.policy, requester, role, atBest, change.nowMs);
      if (decision.kind === 'refused') throw refusedByPolicy(decision.because);
      return { requester, role, wish, nowMs: change.nowMs };
    });
    if (unverified === undefined) return { requestId, evidence: [] };
    const { nowMs, ...inquiry } = unverified;
    return { requestId, evidence: await core.callbacks.ask({ requestId, ...inquiry }, nowMs, still) };
  });
}

/** Evidence as it would be if everybody who is asked said yes: for what lies ahead, never for a decision. */
export function allConfirming(callbacks: readonly string[], nowMs: number): readonly Evidence[] {
  return callbacks.map((callback) => ({
    callback,
    verdict: 'confirmed',
    atMs: nowMs,
    goodUntilMs: nowMs + 1,
    reason: undefined,
    evidenceId: undefined,
    ticketTitle: undefined,
    ticketStatus: undefined,
  }));
}

/** Why what callbacks were asked is not verified, for somebody who was refused. */
export function unverifiedBecause(
  { ticket, evidence }: Pick<Wish, 'ticket' | 'evidence'>,
  nowMs: number,
): readonly string[] {
  const confirmed = confirmedBy(evidence, nowMs);
  return evidence
    .filter(({ callback }) => !confirmed.includes(callback))
    .map((word) =>
      word.verdict === 'confirmed'
        ? `${subjectOf(ticket)} was confirmed by ${word.callback} too long ago, and not again since.`
        : evidenceSentence(word, subjectOf(ticket), undefined),
    );
}
