import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { EXTENSION } from '../../src/extension/product.ts';
import { hostFacts } from './facts.ts';
import { atDevicePage, PersonAtWindow } from './person.ts';
import { watchStatusBar } from './status-bar.ts';
import { until } from './until.ts';

describe('signing in with the commands', () => {
  it('goes through the loopback interface, shows the account, and ends', async () => {
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana);
    using status = watchStatusBar('databricksMlOam.status');
    const events: string[] = [];
    const watch = vscode.authentication.onDidChangeSessions(({ provider }) => events.push(provider.id));
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    assert.deepEqual(
      (await vscode.authentication.getAccounts(EXTENSION)).map(({ label }) => label),
      [PEOPLE.ana.userName],
    );
    await until('the status bar is told', () => status.text?.startsWith('$(key) OAM'));
    assert.match(status.spoken ?? '', /Signed in as ana\.silva@example\.com/);
    assert.equal(status.command, 'databricksMlOam.access.focus');

    await vscode.commands.executeCommand('databricksMlOam.signOut');
    assert.deepEqual(await vscode.authentication.getAccounts(EXTENSION), []);
    assert.equal(status.text, '$(key) OAM: sign in');
    assert.match(status.spoken ?? '', /You are signed out/);
    assert.equal(status.command, 'databricksMlOam.signIn');
    await until('both changes are told', () => events.length >= 2);
    assert.deepEqual(new Set(events), new Set([EXTENSION]));
    watch.dispose();
  });

  it('goes by a code that is shown first', async () => {
    using lena = new PersonAtWindow()
      .signsInAs(PEOPLE.lena, atDevicePage)
      .press(/Your sign-in code is [A-Z]{4}-[A-Z]{4}/, 'Copy Code and Open Page');
    await vscode.commands.executeCommand('databricksMlOam.signInWithCode');
    await lena.browsed();
    assert.deepEqual(
      (await vscode.authentication.getAccounts(EXTENSION)).map(({ label }) => label),
      [PEOPLE.lena.userName],
    );
    await vscode.commands.executeCommand('databricksMlOam.signOut');
  });

  it('is called off without a word', async () => {
    using nobody = new PersonAtWindow();
    await vscode.commands.executeCommand('databricksMlOam.signInWithCode');
    assert.equal(nobody.told.length, 1);
    assert.match(nobody.told[0] ?? '', /Your sign-in code is/);
    assert.deepEqual(await vscode.authentication.getAccounts(EXTENSION), []);
  });

  it('says once, with one button, that the provider has ended the session, without being asked', async () => {
    const { company } = await hostFacts();
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana);
    using status = watchStatusBar('databricksMlOam.status');
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await fetch(`${company}/revoke-sessions/${PEOPLE.ana.sub}`, { method: 'POST' });
    await until('the window says it', () =>
      ana.told.some((text) => text.startsWith('Your session has ended')),
    );
    assert.equal(status.text, '$(key) OAM: sign in');
    assert.deepEqual(await vscode.authentication.getAccounts(EXTENSION), []);
    await vscode.commands.executeCommand('databricksMlOam.refresh');
    assert.equal(ana.told.filter((text) => text.startsWith('Your session has ended')).length, 1);
    assert.deepEqual(ana.offered(/^Your session has ended/), ['Sign In']);
  });
});
