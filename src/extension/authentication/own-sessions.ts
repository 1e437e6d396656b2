import * as path from 'node:path';

import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import {
  ensureSealingKey,
  fileRefreshLock,
  type RefreshLock,
  sealedAccountStores,
} from '../../identity/index.ts';
import { Changes } from '../changes.ts';
import type { EditorSessions } from './editor-sessions.ts';
import { mementoLastUse } from './memento-last-use.ts';
import { secretAccountStores, SESSION_PREFIX, sessionKey } from './secret-session-store.ts';

/** On a desktop each session is one secret of VS Code; in a browser it is sealed in a file, and the key is the secret. */
export function ownSessions(
  {
    secrets,
    globalState,
    globalStorageUri,
  }: Pick<vscode.ExtensionContext, 'secrets' | 'globalState' | 'globalStorageUri'>,
  machine: string,
  logger: Logger,
): EditorSessions {
  const changes = new Changes<void>();
  const tell = (): void => changes.fire();
  const lastUse = mementoLastUse(globalState, machine, logger);
  const lock = (account = ''): RefreshLock =>
    fileRefreshLock(path.join(globalStorageUri.fsPath, 'session', account));
  if (vscode.env.uiKind === vscode.UIKind.Desktop) {
    const watch = secrets.onDidChange(({ key }) => {
      if (key.startsWith(SESSION_PREFIX)) tell();
    });
    return {
      stores: (url, identity) => secretAccountStores(secrets, sessionKey(machine, url, identity)),
      lock,
      lastUse,
      place: 'editor',
      onDidChange: changes.on,
      dispose: () => void vscode.Disposable.from(watch, changes).dispose(),
    };
  }
  const folder = vscode.Uri.joinPath(globalStorageUri, 'sealed');
  // Where it cannot be made, reading the accounts says so.
  ensureSealingKey({ secrets, machine }).catch(() => undefined);
  const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(folder, '*'));
  const watch = [watcher.onDidCreate, watcher.onDidChange, watcher.onDidDelete].map((event) => event(tell));
  return {
    stores: (url, identity) =>
      sealedAccountStores({
        folder: folder.fsPath,
        secrets,
        machine,
        key: sessionKey(machine, url, identity),
      }),
    lock,
    lastUse,
    place: 'editor',
    onDidChange: changes.on,
    dispose: () => void vscode.Disposable.from(watcher, ...watch, changes).dispose(),
  };
}
