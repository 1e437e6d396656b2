import { OamError } from '../../domain/errors.ts';
import type { ServerConfiguration } from '../configuration/configuration.ts';
import { secretFromEnvironment } from '../configuration/secret.ts';

const MIN_CHARACTERS = 32;

/**
 * The tokens that a provisioning client may present: the present one, and the one before while it is being replaced.
 *
 * @throws {OamError} `secret_missing`, `secret_too_short`.
 */
export function directoryTokens(
  directory: ServerConfiguration['directory'],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  if (directory === undefined) return [];
  const names = [directory.tokenEnv, directory.previousTokenEnv].filter((name) => name !== undefined);
  return names.map((name) => {
    const token = secretFromEnvironment(name, environment);
    if (token.length >= MIN_CHARACTERS) return token;
    throw new OamError(
      'secret_too_short',
      `The directory's token could be guessed. Use at least ${MIN_CHARACTERS} random characters, and start again.`,
      { detail: name },
    );
  });
}
