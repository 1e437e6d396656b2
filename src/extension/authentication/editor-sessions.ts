import * as vscode from 'vscode';

import type { PinnedTrust } from '../connection/pinned-trust.ts';
import type { AccountStores } from './account-list.ts';
import { ensureSealingKey, sealedAccountStores } from './sealed-session-store.ts';
import { secretAccountStores, SESSION_PREFIX, sessionKey } from './secret-session-store.ts';

/** Where the sessions of this machine are kept, seen by all of its windows. */
export interface EditorSessions extends vscode.Disposable {
  /** The accounts at a control plane and an identity provider. */
  readonly stores: (url: string, identity: PinnedTrust['identity']) => AccountStores;
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
      stores: (url, identity) => secretAccountStores(secrets, sessionKey(machine, url, identity)),
      onDidChange: changed.event,
      dispose: () => void vscode.Disposable.from(watch, changed).dispose(),
    };
  }
  const folder = vscode.Uri.joinPath(globalStorageUri, 'sealed');
  // Where it cannot be made, reading the accounts says so.
  ensureSealingKey({ secrets, machine }).catch(() => undefined);
  const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(folder, '*'));
  const watch = [watcher.onDidCreate, watcher.onDidChange, watcher.onDidDelete].map((event) =>
    event(() => changed.fire(undefined)),
  );
  return {
    stores: (url, identity) =>
      sealedAccountStores({
        folder: folder.fsPath,
        secrets,
        machine,
        key: sessionKey(machine, url, identity),
      }),
    onDidChange: changed.event,
    dispose: () => void vscode.Disposable.from(watcher, ...watch, changed).dispose(),
  };
}
