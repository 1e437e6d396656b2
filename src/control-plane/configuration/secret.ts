import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';

/** Where a secret is named in a file: the variable that holds it. */
export const EnvironmentName = z.string().check(
  z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: 'must be the name of an environment variable; the value itself never stands in this file.',
  }),
);

/**
 * A secret from the environment, where configuration names the variable.
 *
 * @throws {OamError} `secret_missing`.
 */
export function secretFromEnvironment(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const value = optionalSecretFromEnvironment(name, environment);
  if (value !== undefined) return value;
  throw new OamError(
    'secret_missing',
    'A secret that the configuration names is not in the environment. Set the variable and start again.',
    { detail: name },
  );
}

/** A secret from the environment that need not be there. */
export function optionalSecretFromEnvironment(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}
