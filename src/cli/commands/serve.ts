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
  const asked = Promise.withResolvers<void>();
  // A signal during the start is heard too, from its first moment: what has been started is then closed in order.
  const taken = signals.take((signal) => {
    if (signal === 'SIGHUP' && !atTerminal) {
      // During the start the folder is being read anyway.
      running?.reloadPolicy();
      return;
    }
    logger.info('stopping', { signal });
    asked.resolve();
  });
  try {
    // The server is large and needed here only.
    const { loadServerConfiguration } = await import('../../control-plane/configuration/configuration.ts');
    const configuration = await loadServerConfiguration(file, env);
    const { startControlPlane } = await import('../../control-plane/server.ts');
    running = await startControlPlane(configuration, logger, answer, options);
    boundServerHeap();
    try {
      answer(JSON.stringify({ event: 'listening', url: running.url }));
      await asked.promise;
    } finally {
      await running.close();
    }
  } finally {
    taken[Symbol.dispose]();
  }
}
