import assert from 'node:assert/strict';

import * as vscode from 'vscode';

const ID = 'databricks-ml-oam.databricks-ml-oam';

interface Manifest {
  contributes: { commands: { command: string }[] };
}

describe('the extension', () => {
  it('is there and activates', async () => {
    const extension = vscode.extensions.getExtension(ID);
    assert.ok(extension, `${ID} is not installed`);
    await extension.activate();
    assert.equal(extension.isActive, true);
  });

  it('registers every command of its manifest, and no other under its prefix', async () => {
    const manifest = vscode.extensions.getExtension(ID)?.packageJSON as Manifest;
    const promised = manifest.contributes.commands.map((entry) => entry.command).sort();
    const there = (await vscode.commands.getCommands(true))
      .filter((command) => /^databricksMlOam\.[a-zA-Z]+$/.test(command))
      .sort();
    assert.deepEqual(there, promised);
  });
});
