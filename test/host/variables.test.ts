import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { terminalTargets } from '../../src/extension/injection/editor-folders.ts';
import { skipAloud } from '../reporting/skip.ts';
import { extensionContext } from './context.ts';
import { pointerIn, terminalEnvironment } from './terminal.ts';

const POINTER = {
  DATABRICKS_HOST: 'https://prod.cloud.databricks.com',
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:1/nobody-listens-there',
} as const;

describe('variables of terminals', () => {
  before(function () {
    if (process.platform === 'win32') skipAloud(this, 'the terminals of these tests run /bin/sh');
  });

  it("are given to one folder's terminals only, say why, and are not kept for the next start", async () => {
    const [first, second] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined && second !== undefined);
    const { environmentVariableCollection: collection } = await extensionContext();
    const target = terminalTargets(collection)({ uri: first.uri.toString(), name: first.name });
    const scoped = collection.getScoped({ workspaceFolder: first });
    assert.equal(collection.persistent, false);
    assert.equal(scoped.persistent, false);
    try {
      target.set(POINTER);
      assert.equal(scoped.get('DATABRICKS_HOST')?.value, POINTER.DATABRICKS_HOST);
      assert(typeof scoped.description === 'string');
      assert.match(scoped.description, /It stores no token/);
      assert.equal(collection.get('DATABRICKS_HOST'), undefined);
      assert.equal(collection.getScoped({ workspaceFolder: second }).get('DATABRICKS_HOST'), undefined);
      assert.deepEqual(pointerIn(await terminalEnvironment(first.uri)), {
        host: POINTER.DATABRICKS_HOST,
        type: POINTER.DATABRICKS_AUTH_TYPE,
        url: POINTER.DATABRICKS_METADATA_SERVICE_URL,
      });
      assert.equal(pointerIn(await terminalEnvironment(second.uri)).url, undefined);
    } finally {
      target.clear();
    }
    assert.equal(scoped.get('DATABRICKS_HOST'), undefined);
    assert.equal(scoped.description, undefined);
    assert.equal(pointerIn(await terminalEnvironment(first.uri)).url, undefined);
  });
});
