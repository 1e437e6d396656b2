import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { signInAtDatabricks } from '../../src/sandbox/databricks/index.ts';
import { PEOPLE, type Person } from '../../src/sandbox/identity-provider/index.ts';
import { hostFacts } from './facts.ts';
import { atLogin, PersonAtWindow } from './person.ts';
import { pointerIn, terminalEnvironment } from './terminal.ts';
import { until } from './until.ts';

/** Somebody who signs in at the company, and on Databricks' own page as perhaps somebody else. */
function atWindow(person: Person, atDatabricks: Person = person): PersonAtWindow {
  return new PersonAtWindow().signsInAs(person, async (browser, url, given) => {
    if (url.includes('/oidc/v1/authorize')) await signInAtDatabricks(url, atDatabricks);
    else await atLogin(browser, url, given);
  });
}

describe('a workspace that wants a sign-in of its own', function () {
  before(function () {
    if (process.platform === 'win32') this.skip();
  });

  it('is said once with one button, which signs in there; terminals then have it until the sign-out', async () => {
    const { workspaces } = await hostFacts();
    const [, second] = vscode.workspace.workspaceFolders ?? [];
    assert(second !== undefined);
    using ana = atWindow(PEOPLE.ana).pick(second.name, 'ml-dev');
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.useInFolder');
    const pointer = await until('the folder has an address', async () => {
      const found = pointerIn(await terminalEnvironment(second.uri));
      return found.url !== undefined && found;
    });
    assert.equal(pointer.host, workspaces.dev);
    const ask = async (): Promise<{ error?: string; access_token?: string }> => {
      const answer = await fetch(pointer.url ?? '', {
        headers: { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': pointer.host ?? '' },
      });
      return (await answer.json()) as { error?: string; access_token?: string };
    };
    assert.equal((await ask()).error, 'databricks_own_sign_in_needed');
    const isSaid = (text: string): boolean => text.startsWith('This workspace wants a sign-in of its own');
    await until('the window says it', () => ana.told.some(isSaid));
    assert.deepEqual(ana.offered(/^This workspace wants a sign-in of its own/), ['Sign In to Databricks']);
    await ask();
    assert.equal(ana.told.filter(isSaid).length, 1);

    await vscode.commands.executeCommand('databricksMlOam.signInToDatabricks', { host: workspaces.dev });
    await ana.browsed();
    const { access_token: token } = await until('the folder has a token', async () => {
      const answer = await ask();
      return answer.access_token !== undefined && answer;
    });
    const me = await fetch(`${workspaces.dev}/api/2.0/preview/scim/v2/Me`, {
      headers: { authorization: `Bearer ${token ?? ''}` },
    });
    assert.match(await me.text(), new RegExp(PEOPLE.ana.userName));

    await vscode.commands.executeCommand('databricksMlOam.signOut');
    assert.equal((await ask()).error, 'signed_out');
  });

  it('takes the sign-in of nobody else, and says so', async () => {
    const { workspaces } = await hostFacts();
    using ana = atWindow(PEOPLE.ana, PEOPLE.omar);
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.signInToDatabricks', { host: workspaces.dev });
    await until('the window says it', () =>
      ana.told.some((text) =>
        text.startsWith('Somebody else signed in to Databricks than is signed in here'),
      ),
    );
    await vscode.commands.executeCommand('databricksMlOam.signOut');
  });
});
