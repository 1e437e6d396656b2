import * as vscode from 'vscode';

import type { SessionStore } from '../../identity/index.ts';
import type { PinnedTrust } from '../connection/pinned-trust.ts';
import { sealedSessionStore } from './sealed-session-store.ts';
import { secretSessionStore, SESSION_PREFIX, sessionKey } from './secret-session-store.ts';

/** Where the sessions of this machine are kept, seen by all of its windows. */
export interface EditorSessions extends vscode.Disposable {
  /** The session at a control plane and an identity provider. */
  readonly store: (url: string, identity: PinnedTrust['identity']) => SessionStore;
  /** A session may have been changed, here or in another window. */
  readonly onDidChange: vscode.Event<unknown>;
}

/** The sessions of a window of VS Code: on a desktop among its secrets, in a browser sealed in a file. */
export function editorSessions(
  { secrets, globalStorageUri }: Pick<vscode.ExtensionContext, 'secrets' | 'globalStorageUri'>,
  machine: string,
): EditorSessions {
  const changed = new vscode.EventEmitter<unknown>();
  if (vscode.env.uiKind === vscode.UIKind.Desktop) {
    const watch = secrets.onDidChange(({ key }) => {
      if (key.startsWith(SESSION_PREFIX)) changed.fire(undefined);
    });
    return {
      store: (url, identity) => secretSessionStore(secrets, sessionKey(machine, url, identity)),
      onDidChange: changed.event,
      dispose: () => void vscode.Disposable.from(watch, changed).dispose(),
    };
  }
  const folder = vscode.Uri.joinPath(globalStorageUri, 'sealed');
  const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(folder, '*'));
  const watch = [watcher.onDidCreate, watcher.onDidChange, watcher.onDidDelete].map((event) =>
    event(() => changed.fire(undefined)),
  );
  return {
    store: (url, identity) =>
      sealedSessionStore({ folder: folder.fsPath, secrets, key: sessionKey(machine, url, identity) }),
    onDidChange: changed.event,
    dispose: () => void vscode.Disposable.from(watcher, ...watch, changed).dispose(),
  };
}
