import * as z from 'zod/mini';

import { HOUR_MS, minutesToMs } from '../../domain/time.ts';
import { EnvironmentName } from '../configuration/secret.ts';
import { JWKS_MAX_AGE_SECONDS, type RotationRules } from './key-states.ts';

/** `issuer` in the server's configuration. */
export const IssuerSettings = z.strictObject({
  /** The environment variable that holds the key which seals the issuer's private keys. */
  keyEnv: z._default(EnvironmentName, 'OAM_KEY'),
  /** The one that holds what was there before, while the key is being changed. */
  previousKeyEnv: z._default(EnvironmentName, 'OAM_KEY_PREVIOUS'),
  /** The age at which a signing key is replaced, in days. */
  rotateAfterDays: z._default(z.int().check(z.minimum(1), z.maximum(3_650)), 90),
  /**
   * How long a signing key is published before it signs, in minutes. Databricks does not say how long it keeps an
   * issuer's keys. Not less than the time for which it may by our word.
   */
  publishAheadMinutes: z._default(
    z.int().check(z.minimum(JWKS_MAX_AGE_SECONDS / 60), z.maximum(43_200)),
    1_440,
  ),
  /**
   * Where Databricks finds the public keys: at the issuer's address, or as a copy in each federation policy, where
   * Databricks cannot reach that address.
   */
  policyKeys: z._default(z.enum(['discovery', 'jwks_json']), 'discovery'),
});

/** See {@link IssuerSettings}. */
export type IssuerSettings = z.infer<typeof IssuerSettings>;

const DAY_MINUTES = 1_440;

/** What no single setting shows, or undefined. */
export function faultOfPublishAhead(settings: IssuerSettings): string | undefined {
  return settings.publishAheadMinutes < settings.rotateAfterDays * DAY_MINUTES
    ? undefined
    : "must be less than 'issuer.rotateAfterDays': a key would be replaced before it has signed anything.";
}

/** When keys are changed, as configured. */
export function rotationRules(settings: IssuerSettings): RotationRules {
  return {
    rotateAfterMs: settings.rotateAfterDays * 24 * HOUR_MS,
    publishAheadMs: minutesToMs(settings.publishAheadMinutes),
    waitsForWord: settings.policyKeys === 'jwks_json',
  };
}
