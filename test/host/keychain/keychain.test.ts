import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

import * as vscode from 'vscode';

import { EXTENSION, EXTENSION_ID } from '../../../src/extension/product.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { hostFacts } from '../facts.ts';
import { PersonAtWindow } from '../person.ts';
import { watchStatusBar } from '../status-bar.ts';
import { until } from '../until.ts';

/** Runs `oam` as a terminal of this window would. */
async function oam(...words: string[]): Promise<string> {
  const root = vscode.extensions.getExtension(EXTENSION_ID)?.extensionPath ?? '';
  const { controlPlane } = await hostFacts();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [path.join(root, 'src/cli/main.ts'), ...words],
    { env: { ...process.env, OAM_URL: controlPlane } },
  );
  return stdout;
}

const accounts = async (): Promise<string[]> =>
  (await vscode.authentication.getAccounts(EXTENSION)).map(({ label }) => label);

describe('a session that the person shares with oam', () => {
  it('is made in the editor, used and ended at the command line, and the window hears of it', async () => {
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana);
    using status = watchStatusBar('databricksMlOam.status');
    assert.match(await oam('status'), /nobody; sign in with: oam login/);
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    assert.deepEqual(await accounts(), [PEOPLE.ana.userName]);
    assert.match(await oam('status'), /Signed in {6}Ana Silva/);
    assert.match(await oam('roles'), /ranker/);
    assert.deepEqual(
      ana.told.filter((text) => text.includes('keychain')),
      [],
    );
    assert.match(await oam('logout'), /Signed out Ana Silva/);
    await until('the window hears of it', async () => (await accounts()).length === 0);
    await until('the status bar is told', () => status.text === '$(key) OAM: sign in');
  });
});
