import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { OamError } from '../../domain/errors.ts';
import type { TextFile } from './rules.ts';

/** The file of the catalogue. */
export const CATALOGUE_FILE = 'catalogue.yaml';

/** The file of the schema that the rules are checked against. */
export const SCHEMA_FILE = 'schema.cedarschema';

/** What decides, of a policy folder, as it was when it was read. */
export interface PolicyFolder {
  readonly path: string;
  /** The texts by their names in the folder. */
  readonly texts: ReadonlyMap<string, string>;
  /** Names that are there and could not be read: a rule that forbids may be among them. */
  readonly unreadable: readonly string[];
  /** SHA-256 over names and texts. It changes with every character, also where what is decided does not. */
  readonly contentHash: string;
}

/** Larger than any policy, small enough to be read again and again. */
const FILE_MAX_BYTES = 4 * 1024 * 1024;

/**
 * Reads what decides: the catalogue, the schema, the rules.
 *
 * @throws {OamError} `policy_folder_missing`.
 */
export async function readPolicyFolder(path: string): Promise<PolicyFolder> {
  let names: string[];
  try {
    names = (await readdir(path)).filter(decides).sort();
  } catch (error) {
    throw new OamError(
      'policy_folder_missing',
      "The policy folder cannot be read. Check 'policyFolder' in the configuration.",
      { detail: path, cause: error },
    );
  }
  const texts = new Map<string, string>();
  const unreadable: string[] = [];
  const hash = createHash('sha256');
  for (const name of names) {
    const text = await readText(join(path, name));
    hash.update(JSON.stringify([name, text ?? null]));
    if (text === undefined) unreadable.push(name);
    else texts.set(name, text);
  }
  return { path, texts, unreadable, contentHash: hash.digest('hex') };
}

/**
 * Reads a folder that somebody may be writing to just now (a checkout, a mount that is swapped): what two readings in a
 * row agree on was whole.
 *
 * @param settleMs the time between two readings.
 * @throws {OamError} `policy_folder_missing`, `policy_folder_unsettled`.
 */
export async function readSettledFolder(path: string, settleMs: number): Promise<PolicyFolder> {
  let last = await readPolicyFolder(path);
  for (let reading = 1; reading < READINGS_AT_MOST; reading++) {
    await delay(settleMs);
    const next = await readPolicyFolder(path);
    if (next.contentHash === last.contentHash) return next;
    last = next;
  }
  throw new OamError(
    'policy_folder_unsettled',
    'The policy folder changes while it is read. It is read again when it has come to rest.',
    { detail: path },
  );
}

const READINGS_AT_MOST = 10;

/** The texts whose names end so, in the order of their names. */
export function filesOf({ path, texts }: PolicyFolder, ending: string): TextFile[] {
  return [...texts]
    .filter(([name]) => name.endsWith(ending))
    .map(([name, text]) => ({ path: join(path, name), text }));
}

function decides(name: string): boolean {
  return name === CATALOGUE_FILE || name === SCHEMA_FILE || name.endsWith('.cedar');
}

/** Undefined for what is no plain file, is too large, or is not ours to read. */
async function readText(path: string): Promise<string | undefined> {
  try {
    const about = await stat(path);
    if (!about.isFile() || about.size > FILE_MAX_BYTES) return undefined;
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
