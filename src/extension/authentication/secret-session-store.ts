import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import {
  type AccountStores,
  databricksKey,
  partiesKey,
  type Secrets,
  type SessionStore,
} from '../../identity/index.ts';
import type { PinnedTrust } from '../connection/pinned-trust.ts';

/**
 * The name of this machine for the keys of what is kept. Windows on different machines share secrets and memory but no
 * locks and no folders, so each machine signs in for itself and has its own folders' answers. The file lies beside the
 * extension's other files on the machine that it runs on. It is not waited for: pointers depend on it.
 */
export function machineKey(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'machine');
  try {
    // Two windows may start at once: whoever comes second takes the first one's name.
    writeFileSync(file, randomUUID(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return readFileSync(file, 'utf8').trim();
}

/** With this the keys of sessions begin. */
export const SESSION_PREFIX = 'session:';

/** With this the keys of an account list and of its sessions begin: this machine, this control plane, this identity provider and client. */
export function sessionKey(
  machine: string,
  controlPlaneUrl: string,
  identity: PinnedTrust['identity'],
): string {
  return `${SESSION_PREFIX}${machine}:${partiesKey(controlPlaneUrl, identity)}`;
}

/** Keeps a session as one secret of VS Code. */
export function secretSessionStore(secrets: Secrets, key: string): SessionStore {
  return {
    read: async () => secrets.get(key),
    write: async (value) => secrets.store(key, value),
    clear: async () => secrets.delete(key),
  };
}

/** Keeps accounts as secrets of VS Code, each session by itself. */
export function secretAccountStores(secrets: Secrets, key: string): AccountStores {
  const secret = (name: string): SessionStore => secretSessionStore(secrets, `${key}:${name}`);
  return {
    list: secretSessionStore(secrets, key),
    session: secret,
    databricks: (account) => secret(databricksKey(account)),
  };
}
