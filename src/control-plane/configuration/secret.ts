import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

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

const FROM_ENVIRONMENT = 'env:';
const FROM_FILE = 'file:';

/** Where a secret is said to lie in a variable or in a file, as whoever runs the server likes it. */
export const SecretReference = z.string().check(
  z.regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, {
    error: 'must be env:NAME or file:path; the value itself never stands in this file.',
  }),
);

/** A reference whose file is found wherever the server was started from. */
export function fromFolder(folder: string, reference: string): string {
  if (!reference.startsWith(FROM_FILE)) return reference;
  return FROM_FILE + resolve(folder, reference.slice(FROM_FILE.length));
}

/**
 * The secret that a {@link SecretReference} speaks of, without white space around it.
 *
 * @throws {OamError} `secret_missing`.
 */
export async function secretFrom(
  reference: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  if (reference.startsWith(FROM_ENVIRONMENT)) {
    return secretFromEnvironment(reference.slice(FROM_ENVIRONMENT.length), environment).trim();
  }
  const path = reference.slice(FROM_FILE.length);
  try {
    const text = (await readFile(path, 'utf8')).trim();
    if (text !== '') return text;
  } catch {
    // Told below, as an empty file is.
  }
  throw new OamError(
    'secret_missing',
    'A file that the configuration names for a secret is missing, empty or cannot be read. Put it there and start again.',
    { detail: path },
  );
}
