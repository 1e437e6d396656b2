import { OamError } from '../../domain/errors.ts';

/**
 * A secret from the environment, where configuration names the variable.
 *
 * @throws {OamError} `secret_missing`.
 */
export function secretFromEnvironment(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const value = environment[name];
  if (value !== undefined && value !== '') return value;
  throw new OamError(
    'secret_missing',
    'A secret that the configuration names is not in the environment. Set the variable and start again.',
    { detail: name },
  );
}
