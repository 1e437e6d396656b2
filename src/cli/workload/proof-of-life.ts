import { setTimeout as pause } from 'node:timers/promises';

import { OamError } from '../../domain/errors.ts';
import { type Clock, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { WorkloadSession } from './session.ts';

/** What {@link keepAlive} needs. */
export interface ProofOfLife {
  readonly grantId: string;
  readonly session: WorkloadSession;
  readonly clock: Clock;
  /** Told once of each reason why the job cannot be shown to live. */
  readonly onTrouble: (error: OamError) => void;
  /** Between two looks, in milliseconds; five seconds unless given. */
  readonly everyMs?: number;
}

/** A proof is due when so much of the grace is left: the run's grant ends with it. */
const DUE_SHARE = 0.6;

/** Between two proofs that did not move the end. */
const AGAIN_MS = MINUTE_MS;

/**
 * Shows the control plane again and again that a job lives, in time for a grant that ends a grace after its run.
 *
 * @returns stops when disposed.
 */
export function keepAlive({ grantId, session, clock, onTrouble, everyMs }: ProofOfLife): Disposable {
  const stopped = new AbortController();
  const { signal } = stopped;
  let longestLeftMs = 0;
  let nextAtMs = -Infinity;
  let last: string | undefined;

  const look = async (): Promise<void> => {
    const grant = await latestGrant(session.client, grantId, signal);
    if (typeof grant.endsAt !== 'string' || Date.parse(grant.endsAt) >= windowEndMs(grant)) return;
    const leftMs = Date.parse(grant.endsAt) - clock.nowMs();
    longestLeftMs = Math.max(longestLeftMs, leftMs);
    if (leftMs > longestLeftMs * DUE_SHARE || clock.nowMs() < nextAtMs) return;
    nextAtMs = clock.nowMs() + Math.min(AGAIN_MS, Math.max(leftMs / 4, SECOND_MS));
    await session.proveAlive();
    last = undefined;
  };

  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(everyMs ?? 5 * SECOND_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await look();
      } catch (error) {
        if (!(error instanceof OamError) || error.code === last || error.code === 'cancelled') continue;
        last = error.code;
        onTrouble(error);
      }
    }
  };
  void keep();
  return {
    [Symbol.dispose]: () => {
      stopped.abort();
    },
  };
}

/** Until when the access was given, whatever the run does: its grant never goes further. */
export function windowEndMs({ activatedAt, minutes, endsAt }: GrantView): number {
  if (activatedAt === null) return endsAt === null ? Infinity : Date.parse(endsAt);
  return Date.parse(activatedAt) + minutes * MINUTE_MS;
}
