import { setTimeout as pause } from 'node:timers/promises';

import { hasCode } from '../../domain/errors.ts';
import type { GrantState } from '../../domain/lifecycle.ts';
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { describeDuration, describeMoment } from '../duration.ts';
import { oneLine } from '../table.ts';

/** What {@link watchGrant} needs. */
export interface GrantWatch {
  readonly grantId: string;
  readonly client: ControlPlaneClient;
  readonly clock: Clock;
  /** Called once for each of the warnings before an end, with the grant that ends and what is left of it. */
  readonly onEnding: (grant: GrantView, leftMs: number) => void;
  /** Called once, when the grant is seen to be over, whoever ended it. */
  readonly onOver: () => void;
  /** When a grant ends by itself, in epoch milliseconds; at its `endsAt` unless given. */
  readonly endOf?: (grant: GrantView) => EpochMs;
  /** Between two looks, in milliseconds; five seconds unless given. */
  readonly everyMs?: number;
}

/** How long before its end a grant is warned of, longest first, in milliseconds. */
const WARNINGS_MS = [15 * MINUTE_MS, 5 * MINUTE_MS] as const;

/** States from which a grant never becomes active again. */
const OVER: readonly GrantState[] = ['revoking', 'revoke_stuck', 'ended', 'failed'];

/**
 * Looks after a grant, and whatever extends it, while a program uses it: it comes to its end, and somebody may return
 * or revoke it elsewhere. A look that fails says nothing new, and is repeated.
 *
 * @returns stops looking when disposed.
 */
export function watchGrant(watch: GrantWatch): Disposable {
  const stopped = new AbortController();
  const { signal } = stopped;
  const dueWarning = createEndWarnings();
  let seen: GrantView | undefined;

  const isOver = async (): Promise<boolean> => {
    try {
      seen = await latestGrant(watch.client, watch.grantId, signal);
      return OVER.includes(seen.state);
    } catch (error) {
      return hasCode(error, 'not_found');
    }
  };

  /** Also where the control plane is away: the end that was seen last comes all the same. */
  const warn = (): void => {
    if (typeof seen?.endsAt !== 'string') return;
    const endsAtMs = watch.endOf?.(seen) ?? Date.parse(seen.endsAt);
    const leftMs = endsAtMs - watch.clock.nowMs();
    if (dueWarning(leftMs)) watch.onEnding(seen, leftMs);
  };

  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(watch.everyMs ?? 5 * SECOND_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const over = await isOver();
      // Disposed while the answer was on its way: whoever disposed knows what became of the grant.
      if (stopped.signal.aborted) return;
      if (over) {
        watch.onOver();
        return;
      }
      warn();
    }
  };
  void look();

  return {
    [Symbol.dispose]: () => {
      stopped.abort();
    },
  };
}

/**
 * Tells when a warning is due: when what is left falls to it, and not where there was never more. One is enough where
 * several were slept through; an extension makes them due anew.
 */
function createEndWarnings(): (leftMs: number) => boolean {
  let formerMs = Number.NEGATIVE_INFINITY;
  return (leftMs) => {
    const due = leftMs > 0 && WARNINGS_MS.some((warningMs) => formerMs > warningMs && leftMs <= warningMs);
    formerMs = leftMs;
    return due;
  };
}

/** What is said of a grant that is about to end: how long it is there, and the command that keeps it. */
export function endingWords(grant: GrantView, leftMs: number, now: EpochMs): string {
  const left = describeDuration(Math.ceil(leftMs / MINUTE_MS) * MINUTE_MS);
  const end = describeMoment(now + leftMs, now);
  return `The access ends at ${end}, in ${left}; keep it with \`oam extend ${grant.id}\`: ${oneLine(grant.role.title)}.`;
}
