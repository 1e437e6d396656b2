import type { Logger } from '../../domain/logger.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import type { Issuer } from './issuer.ts';

/** Changes keys when their time has come. Every replica does, and they agree through the store. */
export function startKeyRotation(issuer: Issuer, pollMs: number, logger: Logger): Loop {
  return startLoop({
    name: 'signing-keys',
    pollMs,
    logger,
    work: async () => {
      await issuer.keys.advance();
      return false;
    },
  });
}
