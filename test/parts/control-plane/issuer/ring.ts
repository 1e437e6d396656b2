import { randomBytes } from 'node:crypto';

import type { IssuerOptions } from '../../../../src/control-plane/issuer/issuer.ts';
import type { RotationRules } from '../../../../src/control-plane/issuer/key-states.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { HOUR_MS } from '../../../../src/domain/time.ts';

export const ISSUER_URL = 'http://127.0.0.1:4200';

/** Keys change once a month, and are published a day before. */
export const RULES: RotationRules = {
  rotateAfterMs: 30 * 24 * HOUR_MS,
  publishAheadMs: 24 * HOUR_MS,
  waitsForWord: false,
};

/** Options of an issuer whose keys are sealed by a key of its own. */
export function issuerOptions(changes: Partial<IssuerOptions> = {}): IssuerOptions {
  return {
    publicUrl: ISSUER_URL,
    sealKeys: { key: randomBytes(32).toString('base64') },
    rotation: RULES,
    logger: silentLogger,
    ...changes,
  };
}
