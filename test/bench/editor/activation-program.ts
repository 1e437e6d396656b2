import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import * as vscode from 'vscode';

import { RESULT_FILE } from './names.ts';

const OURS = 'databricks-ml-oam.databricks-ml-oam';
const PEER = 'vscode.github-authentication';

/** Lets VS Code start both extensions, and writes down what it says of their starts. */
export async function run(): Promise<void> {
  for (const id of [PEER, OURS]) {
    const extension = vscode.extensions.getExtension(id);
    if (extension === undefined) throw new Error(`${id} is not in this extension host.`);
    await extension.activate();
  }
  // What VS Code itself tells of extensions: "Developer: Startup Performance".
  await vscode.commands.executeCommand('perfview.show');
  for (let tries = 0; tries < 200; tries += 1) {
    const document = vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'perf');
    const lines = document?.getText().split('\n') ?? [];
    const rows = [OURS, PEER].map((id) => lines.find((line) => line.includes(`| ${id} `)) ?? '');
    if (rows.every((row) => row !== '')) {
      const file = process.env[RESULT_FILE];
      if (file === undefined) throw new Error('There is nowhere to write.');
      const heads = lines.find((line) => line.includes('Call Activate')) ?? '';
      await writeFile(file, JSON.stringify({ heads, ours: rows[0], peer: rows[1] }));
      return;
    }
    await delay(100);
  }
  throw new Error('VS Code does not say how long the extensions took to start.');
}
