import type { Redactor } from '../../domain/redaction.ts';
import { secretFromEnvironment } from '../configuration/secret.ts';
import { type SigningKey, signingKey } from '../webhooks/signature.ts';
import type { CallbackSettings } from './settings.ts';

/** The keys that questions to each callback are signed with, by its name: the present one first. */
export type CallbackKeys = ReadonlyMap<string, readonly SigningKey[]>;

/**
 * Reads the keys out of the environment.
 *
 * @throws {OamError} `secret_missing`, `secret_malformed`.
 */
export function callbackKeys(
  settings: CallbackSettings | undefined,
  redactor: Redactor,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): CallbackKeys {
  return new Map(
    (settings?.verifiers ?? []).map(({ name, secretEnv, previousSecretEnv }) => {
      const variables = [secretEnv, previousSecretEnv].filter((variable) => variable !== undefined);
      const keys = variables.map((variable) => {
        const secret = secretFromEnvironment(variable, environment);
        redactor.register(secret);
        return signingKey(secret, variable);
      });
      return [name, keys];
    }),
  );
}
