import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as vscode from 'vscode';

/** What a program in a new terminal of a folder finds in its environment. */
export async function terminalEnvironment(folder: vscode.Uri): Promise<ReadonlyMap<string, string>> {
  const scratch = await mkdtemp(join(tmpdir(), 'oam-env-'));
  try {
    const file = join(scratch, 'env');
    const terminal = vscode.window.createTerminal({
      name: 'environment',
      cwd: folder,
      shellPath: '/bin/sh',
      shellArgs: ['-c', `env -0 > '${file}'`],
    });
    await new Promise<void>((resolve) => {
      const watch = vscode.window.onDidCloseTerminal((closed) => {
        if (closed !== terminal) return;
        watch.dispose();
        resolve();
      });
    });
    const text = await readFile(file, 'utf8');
    return new Map(
      text
        .split('\0')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The part of an environment that points to OAM's broker. */
export interface Pointer {
  readonly host: string | undefined;
  readonly type: string | undefined;
  readonly url: string | undefined;
}

/** Reads it. */
export function pointerIn(environment: ReadonlyMap<string, string>): Pointer {
  return {
    host: environment.get('DATABRICKS_HOST'),
    type: environment.get('DATABRICKS_AUTH_TYPE'),
    url: environment.get('DATABRICKS_METADATA_SERVICE_URL'),
  };
}
