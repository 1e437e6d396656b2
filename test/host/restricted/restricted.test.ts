import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { EXTENSION } from '../../../src/extension/product.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { extensionContext } from '../context.ts';
import { PersonAtWindow } from '../person.ts';
import { watchStatusBar } from '../status-bar.ts';
import { stub } from '../stub.ts';
import { until } from '../until.ts';

describe('a folder that nobody trusts', () => {
  it('lets everything be looked at, and gets no credential anywhere', async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    const [folder] = vscode.workspace.workspaceFolders ?? [];
    assert(folder !== undefined);
    const { environmentVariableCollection } = await extensionContext();
    const put: unknown[] = [];
    // All collections of the extension host are of one class.
    const shared: unknown = Object.getPrototypeOf(
      environmentVariableCollection.getScoped({ workspaceFolder: folder }),
    );
    assert(typeof shared === 'object' && shared !== null);
    const watched = stub(shared, 'replace', (name: unknown) => put.push(name));
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana).pick('ml-prod');
    using status = watchStatusBar('databricksMlOam.status');
    try {
      await vscode.commands.executeCommand('databricksMlOam.signIn');
      await ana.browsed();
      assert.deepEqual(
        (await vscode.authentication.getAccounts(EXTENSION)).map(({ label }) => label),
        [PEOPLE.ana.userName],
      );
      await until('the status bar is told', () => status.text?.startsWith('$(key) OAM'));
      // The palette hides the command here; another extension could call it.
      await vscode.commands.executeCommand('databricksMlOam.useInFolder');
      await until('it is said why', () => status.spoken?.includes('This folder is not trusted'));
      assert.deepEqual(put, []);
      assert.equal(process.env['DATABRICKS_METADATA_SERVICE_URL'], undefined);
      assert(!ana.told.some((text) => text.includes('Use OAM for Databricks')));
      await vscode.commands.executeCommand('databricksMlOam.signOut');
    } finally {
      watched[Symbol.dispose]();
    }
  });
});
