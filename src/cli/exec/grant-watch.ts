import { setTimeout as pause } from 'node:timers/promises';

import { hasCode } from '../../domain/errors.ts';
import type { GrantState } from '../../domain/lifecycle.ts';
import { SECOND_MS } from '../../domain/time.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';

/** What {@link watchGrant} needs. */
export interface GrantWatch {
  readonly grantId: string;
  readonly client: ControlPlaneClient;
  /** Called once, when the grant is seen to be over, whoever ended it. */
  readonly onOver: () => void;
  /** Between two looks, in milliseconds; five seconds unless given. */
  readonly everyMs?: number;
}

/** States from which a grant never becomes active again. */
const OVER: readonly GrantState[] = ['revoking', 'revoke_stuck', 'ended', 'failed'];

/**
 * Looks after a grant, and whatever extends it, while a program uses it: somebody may return or revoke it elsewhere. A
 * look that fails says nothing, and is repeated.
 *
 * @returns stops looking when disposed.
 */
export function watchGrant(watch: GrantWatch): Disposable {
  const stopped = new AbortController();
  const { signal } = stopped;

  const isOver = async (): Promise<boolean> => {
    try {
      const grant = await latestGrant(watch.client, watch.grantId, signal);
      return OVER.includes(grant.state);
    } catch (error) {
      return hasCode(error, 'not_found');
    }
  };

  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(watch.everyMs ?? 5 * SECOND_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted || !(await isOver())) continue;
      // Disposed while the answer was on its way: whoever disposed knows what became of the grant.
      if (!stopped.signal.aborted) watch.onOver();
      return;
    }
  };
  void look();

  return {
    [Symbol.dispose]: () => {
      stopped.abort();
    },
  };
}
