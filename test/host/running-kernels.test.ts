import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { skipAloud } from '../reporting/skip.ts';
import { askBroker } from './broker.ts';
import { hostFacts } from './facts.ts';
import { openNotebook, runCell } from './notebook.ts';
import { PersonAtWindow } from './person.ts';
import { until } from './until.ts';

const LOOK = `import os; print(os.environ.get('DATABRICKS_METADATA_SERVICE_URL'), os.environ.get('DATABRICKS_HOST'))`;

/** The folders of this window disagree, so that no kernel begins with a pointer. */
describe('a notebook kernel that began without a pointer', () => {
  let ana: PersonAtWindow;
  let file: vscode.Uri;
  let workspace: string;

  before(async function () {
    const { noPython, workspaces } = await hostFacts();
    if (noPython !== undefined) skipAloud(this, noPython);
    workspace = workspaces.prod;
    const [folder] = vscode.workspace.workspaceFolders ?? [];
    assert(folder !== undefined);
    file = vscode.Uri.joinPath(folder.uri, 'running.ipynb');
    await writeFile(
      file.fsPath,
      JSON.stringify({
        cells: [
          { cell_type: 'code', source: LOOK, execution_count: null, metadata: {}, outputs: [] },
          { cell_type: 'code', source: MINE, execution_count: null, metadata: {}, outputs: [] },
        ],
        ...{ metadata: {}, nbformat: 4, nbformat_minor: 4 },
      }),
    );
    ana = new PersonAtWindow()
      .signsInAs(PEOPLE.ana)
      .pick('next-shelf', 'ml-prod')
      .press(/began without/, 'Set Up');
  });
  after(async () => {
    await vscode.commands.executeCommand('databricksMlOam.signOut');
    ana[Symbol.dispose]();
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    await rm(file.fsPath, { force: true });
  });

  /** The person makes another client of theirs: the person's own sign-in. */
  const MINE = `import os; os.environ.update(DATABRICKS_TOKEN='dapi-mine'); print('mine')`;

  async function signIn(): Promise<void> {
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.useInFolder');
  }

  /** What the kernel has, once it is something else than before. */
  const pointerAfter = (notebook: vscode.NotebookDocument, before: string): Promise<string> =>
    until('the kernel has another address', async () => {
      const [url = ''] = (await runCell(notebook, 0)).split(' ');
      return url !== before && url !== 'None' && url;
    });

  it('gets one while it runs, again after a restart, and a new one for the next sign-in', async function () {
    this.timeout(120_000);
    const notebook = await openNotebook('', file);
    assert.equal(await runCell(notebook, 0), 'None None');
    await signIn();
    const url = await pointerAfter(notebook, 'None');
    assert.equal(ana.told.filter((text) => text.includes('began without your access')).length, 1);
    assert.equal((await askBroker({ url, host: workspace, type: undefined })).status, 200);

    await vscode.commands.executeCommand('pythonKernelStandIn.restart');
    assert.equal(await pointerAfter(notebook, 'None'), url);

    await vscode.commands.executeCommand('databricksMlOam.signOut');
    await signIn();
    assert.notEqual(await pointerAfter(notebook, url), url);
    assert.equal(ana.told.filter((text) => text.includes('began without your access')).length, 1);

    const ran = await vscode.commands.executeCommand<string[]>('pythonKernelStandIn.ran');
    assert(ran.length >= 3);
    for (const code of ran)
      assert.doesNotMatch(code, /127\.0\.0\.1|http:|eyJ|dapi/, 'an address or a token in a log');
  });

  it('is left alone where its user signs in by themselves, which is said', async () => {
    await vscode.commands.executeCommand('pythonKernelStandIn.restart');
    await vscode.commands.executeCommand('databricksMlOam.signOut');
    const [notebook] = vscode.workspace.notebookDocuments.filter(({ uri }) => uri.path === file.path);
    assert(notebook !== undefined);
    await vscode.commands.executeCommand('pythonKernelStandIn.restart');
    assert.equal(await runCell(notebook, 1), 'mine');
    await signIn();
    await until('it is said', () =>
      ana.told.some((text) => text.includes('signs in to Databricks by variables of its own')),
    );
    assert.equal(await runCell(notebook, 0), 'None None');
  });
});
