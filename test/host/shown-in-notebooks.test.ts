import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { skipAloud } from '../reporting/skip.ts';
import { hostFacts } from './facts.ts';
import { openNotebook, runCell } from './notebook.ts';
import { PersonAtWindow } from './person.ts';
import { until } from './until.ts';

/** Both folders of this window work with the same workspace, so that kernels begin with their pointer. */
describe('how long access lasts, in a notebook of VS Code', () => {
  let ana: PersonAtWindow;
  let file: vscode.Uri;
  let notebook: vscode.NotebookDocument;
  let line: string;

  before(async function () {
    const { noPython } = await hostFacts();
    if (noPython !== undefined) skipAloud(this, noPython);
    const [, second] = vscode.workspace.workspaceFolders ?? [];
    const extension = vscode.extensions.getExtension('databricks-ml-oam.databricks-ml-oam');
    assert(second !== undefined && extension !== undefined);
    const page = await readFile(join(extension.extensionPath, 'docs/notebooks.md'), 'utf8');
    line = /^import os, sys; .*$/m.exec(page)?.[0] ?? assert.fail('The page says no line.');
    file = vscode.Uri.joinPath(second.uri, 'shown.ipynb');
    const cells = ['%oam', line].map((source) => ({
      ...{ cell_type: 'code', source, execution_count: null, metadata: {}, outputs: [] },
    }));
    await writeFile(file.fsPath, JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 4 }));
    for (const folder of ['next-shelf', second.name]) {
      ana = new PersonAtWindow().signsInAs(PEOPLE.ana).pick(folder, 'ml-prod');
      await vscode.commands.executeCommand('databricksMlOam.signIn');
      await ana.browsed();
      await vscode.commands.executeCommand('databricksMlOam.useInFolder');
      if (folder !== second.name) ana[Symbol.dispose]();
    }
    notebook = await openNotebook('', file);
  });
  after(async () => {
    await vscode.commands.executeCommand('databricksMlOam.stopInFolder');
    await vscode.commands.executeCommand('databricksMlOam.signOut');
    ana[Symbol.dispose]();
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    await rm(file.fsPath, { force: true });
  });

  const restart = (): Thenable<unknown> => vscode.commands.executeCommand('pythonKernelStandIn.restart');
  const ranByOthers = async (): Promise<number> =>
    (await vscode.commands.executeCommand<string[]>('pythonKernelStandIn.ran')).length;

  it('is shown by the one line of the documentation, in a kernel that nobody was asked about', async () => {
    const before = await ranByOthers();
    assert.match(await runCell(notebook, 0), /`%oam` not found/);
    assert.equal(await runCell(notebook, 1), '');
    let shown = '';
    await until('the line shows it', async () => {
      shown = await runCell(notebook, 0);
      return shown.includes('everyday access');
    });
    assert.match(
      shown,
      /^OAM: ana\.silva@example\.com in 127\.0\.0\.1:\d+\n {2}everyday access, and no role$/,
    );
    assert.equal(await ranByOthers(), before);
  });

  it('is shown by itself once the person said so, also after a restart, and says when nobody is signed in', async () => {
    await restart();
    assert.match(await runCell(notebook, 0), /`%oam` not found/);
    await vscode.commands.executeCommand('databricksMlOam.showInNotebooks');
    const isShown = (): Promise<string | false> =>
      runCell(notebook, 0).then((text) => text.startsWith('OAM: ana.silva@example.com') && text);
    await until('the kernel shows it', isShown);
    await restart();
    await until('the kernel shows it after a restart', isShown);
    const ran = await vscode.commands.executeCommand<string[]>('pythonKernelStandIn.ran');
    for (const code of ran)
      assert.doesNotMatch(code, /127\.0\.0\.1|http:|eyJ|dapi/, 'an address or a token in a log');

    await vscode.commands.executeCommand('databricksMlOam.signOut');
    await until('the kernel shows that nobody is signed in', async () =>
      (await runCell(notebook, 0)).startsWith('OAM: nobody yet in'),
    );
  });
});
