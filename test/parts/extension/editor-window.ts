/**
 * A window of the editor in a process of its own: the extension's connection over VS Code's places, which are folders
 * here. Started with the settings as its one argument; it does what it is told, one thing after the other.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, watch } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { hostTrust } from '../../../src/databricks/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  editorSessions,
  type EditorSessions,
} from '../../../src/extension/authentication/editor-sessions.ts';
import {
  machineKey,
  secretAccountStores,
  sessionKey,
} from '../../../src/extension/authentication/secret-session-store.ts';
import { Connection } from '../../../src/extension/connection/connection.ts';
import { PinBoard } from '../../../src/extension/connection/pinned-trust.ts';
import { fileRefreshLock, lastUseIn, type Secrets, stateFolder } from '../../../src/identity/index.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { signIn } from '../identity/sign-in.ts';
import type { WindowAnswer, WindowSettings, WindowWish, WindowView } from './editor-windows.ts';

const settings = JSON.parse(process.argv[2] ?? '') as WindowSettings;
const secrets = fileSecrets(settings.secrets);
const machine = machineKey(settings.storage);
let { usesKeychain } = settings;
let aheadMs = 0;
let notices = 0;
let diesAtNextWrite = false;

const own: EditorSessions = {
  stores: (url, identity) => secretAccountStores(secrets, sessionKey(machine, url, identity)),
  lock: (account = '') => fileRefreshLock(path.join(settings.storage, 'session', account)),
  lastUse: lastUseIn(settings.storage),
  place: 'editor',
  onDidChange(listener) {
    const watcher = watch(settings.secrets, { persistent: false }, () => listener());
    return { dispose: () => watcher.close() };
  },
  dispose: () => undefined,
};
const sessions = editorSessions({
  own,
  usesKeychain: () => usesKeychain,
  keychainFolder: stateFolder(process.env),
  onNoKeychain: () => (notices += 1),
});
const pins = new Map<string, unknown>();
const connection = new Connection({
  trust: () => hostTrust([]),
  address: () => settings.controlPlane,
  pins: new PinBoard({
    get: (key) => pins.get(key),
    update: (key, value) => Promise.resolve(void pins.set(key, value)),
  }),
  stores: sessions.stores,
  lock: sessions.lock,
  transport: async ({ url }) => {
    const answer = await fetch(url);
    return { status: answer.status, headers: {}, text: await answer.text() };
  },
  confirmChange: () => Promise.resolve(false),
  clock: { nowMs: () => Date.now() + aheadMs },
  logger: silentLogger,
  redactor: createRedactor(),
});
const seen: string[] = [];
connection.onDidChange((state) => {
  if (state.kind === 'signedOut')
    seen.push(state.expired ? `expired: ${state.reason?.sentence ?? ''}` : 'signed out');
});
sessions.onDidChange(() => {
  connection.storeChanged().catch(() => undefined);
});
await pinAsAfterFirstUse();

process.on('message', (wish: WindowWish) => {
  act(wish).then(
    (view) => process.send?.({ view } satisfies WindowAnswer),
    (error: unknown) => {
      const code = error instanceof OamError ? error.code : 'unexpected';
      process.send?.({
        error: `${code}: ${error instanceof Error ? error.message : ''}`,
      } satisfies WindowAnswer);
    },
  );
});

async function act(wish: WindowWish): Promise<WindowView> {
  switch (wish.do) {
    case 'start':
      await connection.start();
      break;
    case 'signIn':
      await connection.signIn(
        (provider) => signIn(provider, PEOPLE[wish.person]),
        new AbortController().signal,
        'acts',
      );
      break;
    case 'signOut':
      await connection.signOut();
      break;
    case 'useKeychain':
      usesKeychain = wish.on;
      await connection.start();
      break;
    case 'lookForKeychain':
      if (await sessions.lookAgain()) await connection.start();
      break;
    case 'rotate':
      for (let round = 0; round < wish.times; round += 1) await rotate();
      break;
    case 'dieAtNextWrite':
      diesAtNextWrite = true;
      break;
    case 'look':
      break;
  }
  const { state } = connection;
  return {
    kind: state.kind,
    acting: connection.accounts.find(({ isActing, session }) => isActing && session)?.userName,
    accounts: connection.accounts.map(({ userName }) => userName),
    seen: [...seen],
    place: sessions.place,
    notices,
  };
}

/** Lets time pass until the token is due, so that it is refreshed whatever the other windows have done. */
async function rotate(): Promise<void> {
  const { state } = connection;
  if (state.kind !== 'signedIn') throw new Error(`nobody is signed in: ${state.kind}`);
  aheadMs = Math.max(aheadMs, state.session.accessTokenExpiresAtMs - Date.now() - 20_000);
  await connection.refresh();
}

/** The control plane was used before on this machine. */
async function pinAsAfterFirstUse(): Promise<void> {
  const { identity, workspaces } = (await (
    await fetch(`${settings.controlPlane}/api/v1/configuration`)
  ).json()) as { identity: object; workspaces: object[] };
  pins.set(`pin:${settings.controlPlane}`, { identity, workspaces });
}

/** VS Code's secrets on the client, which all windows of a person share, on whatever machine their extensions run. */
function fileSecrets(folder: string): Secrets {
  mkdirSync(folder, { recursive: true });
  const fileOf = (key: string): string =>
    path.join(folder, createHash('sha256').update(key).digest('hex').slice(0, 24));
  return {
    get: (key) => readFile(fileOf(key), 'utf8').catch(() => undefined),
    async store(key, value) {
      if (diesAtNextWrite && value.includes('refreshToken')) process.kill(process.pid, 'SIGKILL');
      const scratch = `${fileOf(key)}.${process.pid}`;
      await writeFile(scratch, value);
      await rename(scratch, fileOf(key));
    },
    delete: (key) => rm(fileOf(key), { force: true }),
  };
}
