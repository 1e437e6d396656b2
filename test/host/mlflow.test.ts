import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { skipAloud } from '../reporting/skip.ts';
import { PersonAtWindow } from './person.ts';
import { terminalEnvironment } from './terminal.ts';
import { until } from './until.ts';

describe('MLflow in a folder that works with OAM', () => {
  let folder: vscode.WorkspaceFolder;
  let ana: PersonAtWindow;

  before(async function () {
    if (process.platform === 'win32') skipAloud(this, 'the terminals of these tests run /bin/sh');
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined);
    folder = first;
    ana = new PersonAtWindow().signsInAs(PEOPLE.ana).pick('next-shelf', 'ml-prod');
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.useInFolder');
  });
  after(async () => {
    await choose(undefined);
    await vscode.commands.executeCommand('databricksMlOam.signOut');
    ana[Symbol.dispose]();
  });

  async function choose(choice: string | undefined): Promise<void> {
    await vscode.workspace
      .getConfiguration('databricksMlOam', folder.uri)
      .update('mlflowTracking', choice, vscode.ConfigurationTarget.WorkspaceFolder);
  }

  async function inTerminal(): Promise<(string | undefined)[]> {
    const environment = await terminalEnvironment(folder.uri);
    return ['MLFLOW_TRACKING_URI', 'DATABRICKS_TOKEN', 'DATABRICKS_AUTH_TYPE'].map((name) =>
      environment.get(name),
    );
  }

  /** VS Code tells of a setting a moment after it has changed. */
  const becomes = (what: string, expected: (string | undefined)[]): Promise<boolean> =>
    until(what, async () => JSON.stringify(await inTerminal()) === JSON.stringify(expected));

  it('works where the person says until they choose, with words that are no token where an old one wants some', async () => {
    assert.deepEqual(await inTerminal(), [undefined, undefined, 'metadata-service']);
    await choose('on');
    await becomes('MLflow is pointed', ['databricks', undefined, 'metadata-service']);
    await choose('onForOldMlflow');
    await becomes('an old MLflow is', ['databricks', 'no-token-oam-uses-the-pointer', 'metadata-service']);
    await choose('off');
    await becomes('nothing is', [undefined, undefined, 'metadata-service']);
  });

  it("leaves the person's own place for it, and says so once", async () => {
    const dotenv = join(folder.uri.fsPath, '.env');
    await writeFile(dotenv, 'MLFLOW_TRACKING_URI=http://mine\n');
    try {
      await choose('on');
      const said = 'next-shelf sets MLFLOW_TRACKING_URI itself, so OAM leaves MLflow there alone.';
      await until('the window says it', () => ana.told.includes(said));
      await choose('onForOldMlflow');
      await choose('on');
      assert.deepEqual(await inTerminal(), [undefined, undefined, 'metadata-service']);
      assert.equal(ana.told.filter((text) => text === said).length, 1);
    } finally {
      await rm(dotenv);
    }
  });
});
