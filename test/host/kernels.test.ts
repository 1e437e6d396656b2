import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { skipAloud } from '../reporting/skip.ts';
import { hostFacts } from './facts.ts';
import { openNotebook, runCell } from './notebook.ts';

const NAME = 'OAM_TEST_POINTER';

describe('a notebook kernel', () => {
  before(async function () {
    const { noPython } = await hostFacts();
    if (noPython !== undefined) skipAloud(this, noPython);
  });

  afterEach(async () => {
    delete process.env[NAME];
    await vscode.commands.executeCommand('pythonKernelStandIn.restart');
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });

  it("starts with the extension host's environment as it is at that moment", async () => {
    const notebook = await openNotebook(`import os; print(os.environ.get('${NAME}'), os.getppid())`);
    process.env[NAME] = 'set-before-the-start';
    assert.equal(await runCell(notebook, 0), `set-before-the-start ${String(process.pid)}`);
  });

  it('keeps the environment that it started with, and takes the new one after a restart', async () => {
    const notebook = await openNotebook(`import os; print(os.environ.get('${NAME}'))`);
    assert.equal(await runCell(notebook, 0), 'None');
    process.env[NAME] = 'set-while-it-runs';
    assert.equal(await runCell(notebook, 0), 'None');
    await vscode.commands.executeCommand('pythonKernelStandIn.restart');
    assert.equal(await runCell(notebook, 0), 'set-while-it-runs');
  });

  it('tells of an error in a cell', async () => {
    const notebook = await openNotebook(`raise ValueError('no such model')`);
    assert.match(await runCell(notebook, 0), /ValueError.*no such model/s);
  });
});
