import { open, rename, rm } from 'node:fs/promises';

import * as vscode from 'vscode';

/**
 * Writes lines into a file, which is there when all of it is: of a part nothing is left. Where files are not the
 * machine's own, they are written at once.
 */
export async function writeLines(uri: vscode.Uri, lines: AsyncIterable<string>): Promise<void> {
  if (uri.scheme !== 'file') {
    const all: string[] = [];
    for await (const line of lines) all.push(`${line}\n`);
    await vscode.workspace.fs.writeFile(uri, Buffer.from(all.join('')));
    return;
  }
  const part = `${uri.fsPath}.part`;
  try {
    const handle = await open(part, 'w', 0o600);
    try {
      for await (const line of lines) await handle.write(`${line}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, uri.fsPath);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
