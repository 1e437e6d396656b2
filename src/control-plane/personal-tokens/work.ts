import { type Loop, startLoop } from '../loops/loop.ts';
import { removeDueTokens } from './remove.ts';
import { type SweepingParts, sweepTokens } from './sweep.ts';

/** Starts to delete the personal access tokens that nobody is to hold, and to look for those that nobody knows of. */
export function startTokenWork(parts: SweepingParts, pollMs: number): Loop {
  const removing = startLoop({
    name: 'personal-tokens',
    pollMs,
    logger: parts.logger,
    work: () => removeDueTokens(parts),
  });
  // A loop of its own: a list that takes long keeps no removal waiting.
  const sweeping = startLoop({
    name: 'personal-token-sweep',
    pollMs,
    logger: parts.logger,
    work: () => sweepTokens(parts),
  });
  return {
    wake: () => {
      removing.wake();
    },
    async stop() {
      await Promise.all([removing.stop(), sweeping.stop()]);
    },
  };
}
