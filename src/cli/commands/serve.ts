import { once } from 'node:events';

import type { RunningControlPlane, StartOptions } from '../../control-plane/server.ts';
import type { Invocation } from '../invocation.ts';
import { boundServerHeap } from '../server-heap.ts';

/**
 * `oam serve`: runs the control plane until a signal asks it to stop; a hang-up asks it to look at its policy folder,
 * unless it was the terminal that went away. Says `{"event":"listening","url":…}` on standard
 * output once it answers, and anchors of the audit trail where it is set to; everything else goes to the log on standard
 * error.
 */
export async function serve(file: string, options: StartOptions, invocation: Invocation): Promise<void> {
  const { logger, signals, env, answer, atTerminal } = invocation;
  let running: RunningControlPlane | undefined;
  const stop = new AbortController();
  // A signal during the start is heard too, from its first moment: it calls off the start, and what runs by then is closed.
  const taken = signals.take((signal) => {
    if (signal === 'SIGHUP' && !atTerminal) {
      // During the start the folder is being read anyway.
      running?.reloadPolicy();
      return;
    }
    logger.info('stopping', { signal });
    stop.abort();
  });
  try {
    // The server is large and needed here only.
    const { loadServerConfiguration } = await import('../../control-plane/configuration/configuration.ts');
    const configuration = await loadServerConfiguration(file, env);
    const { startControlPlane } = await import('../../control-plane/server.ts');
    running = await startControlPlane(configuration, logger, answer, { ...options, signal: stop.signal });
    boundServerHeap();
    try {
      answer(JSON.stringify({ event: 'listening', url: running.url }));
      if (!stop.signal.aborted) await once(stop.signal, 'abort');
    } finally {
      await running.close();
    }
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
  } finally {
    taken[Symbol.dispose]();
  }
}
