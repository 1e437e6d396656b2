import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { skipAloud } from '../reporting/skip.ts';
import { askBroker } from './broker.ts';
import { hostFacts } from './facts.ts';
import { PersonAtWindow } from './person.ts';
import { watchStatusBar } from './status-bar.ts';
import { pointerIn, terminalEnvironment } from './terminal.ts';
import { until } from './until.ts';

describe('OAM in the folders of a window', () => {
  before(function () {
    if (process.platform === 'win32') skipAloud(this, 'the terminals of these tests run /bin/sh');
  });

  it('points the terminals of one folder to the person, until they sign out', async () => {
    const { workspaces } = await hostFacts();
    const [first, second] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined && second !== undefined);
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana).pick('next-shelf', 'ml-prod');
    using status = watchStatusBar('databricksMlOam.status');
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.useInFolder');
    await until('the status bar names the workspace', () => status.text?.includes('ml-prod'));

    const pointer = pointerIn(await terminalEnvironment(first.uri));
    assert.equal(pointer.host, workspaces.prod);
    assert.equal(pointer.type, 'metadata-service');
    assert.match(pointer.url ?? '', /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22,}$/);
    assert.equal(pointerIn(await terminalEnvironment(second.uri)).url, undefined);
    // The folders do not agree, so a kernel, which is nobody's in particular, gets none.
    assert.equal(process.env['DATABRICKS_METADATA_SERVICE_URL'], undefined);

    const { status: code, body } = await askBroker(pointer);
    assert.equal(code, 200);
    assert(typeof body === 'object' && body !== null && 'access_token' in body);
    const me = await fetch(`${workspaces.prod}/api/2.0/preview/scim/v2/Me`, {
      headers: { authorization: `Bearer ${String(body.access_token)}` },
    });
    assert.match(await me.text(), new RegExp(PEOPLE.ana.userName));

    await vscode.commands.executeCommand('databricksMlOam.signOut');
    assert.equal((await askBroker(pointer)).status, 410);
    assert.equal(pointerIn(await terminalEnvironment(first.uri)).url, undefined);
  });

  it('gives the next person an address of their own, and the first one’s stays closed', async () => {
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined);
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana);
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    const before = await until('the folder has an address', async () => {
      const pointer = pointerIn(await terminalEnvironment(first.uri));
      return pointer.url !== undefined && pointer;
    });
    assert.equal((await askBroker(before)).status, 200);
    ana[Symbol.dispose]();

    using lena = new PersonAtWindow().signsInAs(PEOPLE.lena);
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await lena.browsed();
    const refusal = await askBroker(before);
    assert.equal(refusal.status, 410);
    assert.match(JSON.stringify(refusal.body), /principal_changed/);
    const after = await until('the folder has another address', async () => {
      const pointer = pointerIn(await terminalEnvironment(first.uri));
      return pointer.url !== undefined && pointer.url !== before.url && pointer;
    });
    assert.equal((await askBroker(after)).status, 200);
    await until('she is told of the programs of before', () =>
      lena.told.some((text) => text.includes('next-shelf that run already get no credentials')),
    );
    await vscode.commands.executeCommand('databricksMlOam.signOut');
  });
});
