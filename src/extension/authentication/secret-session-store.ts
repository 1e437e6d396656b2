import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { SessionStore } from '../../identity/index.ts';
import type { PinnedTrust } from '../connection/pinned-trust.ts';

/** The part of VS Code's `SecretStorage` that a session is kept in. */
export interface Secrets {
  get(key: string): PromiseLike<string | undefined>;
  store(key: string, value: string): PromiseLike<void>;
  delete(key: string): PromiseLike<void>;
}

/**
 * The name of this machine for the keys of sessions. Windows on different machines share secrets but no locks, so
 * each machine signs in for itself. The file lies beside the extension's other files on the machine that it runs on.
 */
export async function machineKey(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, 'machine');
  try {
    // Two windows may start at once: whoever comes second takes the first one's name.
    await writeFile(file, randomUUID(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}

/** The key of one session: this machine, this control plane, this identity provider and client. */
export function sessionKey(
  machine: string,
  controlPlaneUrl: string,
  { issuer, clientId, audience }: PinnedTrust['identity'],
): string {
  const parties = createHash('sha256')
    .update(JSON.stringify([controlPlaneUrl, issuer, clientId, audience]))
    .digest('hex')
    .slice(0, 32);
  return `session:${machine}:${parties}`;
}

/** Keeps a session as one secret of VS Code. */
export function secretSessionStore(secrets: Secrets, key: string): SessionStore {
  return {
    read: async () => secrets.get(key),
    write: async (value) => secrets.store(key, value),
    clear: async () => secrets.delete(key),
  };
}
