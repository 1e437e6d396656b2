import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { skipAloud } from '../reporting/skip.ts';
import { hostFacts } from './facts.ts';
import { type OfferedLine, PersonAtWindow } from './person.ts';
import { until } from './until.ts';

/** Writes its environment to the file that it is given. */
const PROGRAM = 'import json, os, sys\nopen(sys.argv[1], "w").write(json.dumps(dict(os.environ)))\n';

describe('a debug session of Python', () => {
  const written: string[] = [];
  let folder: vscode.WorkspaceFolder;
  let other: vscode.WorkspaceFolder;
  let ana: PersonAtWindow;
  let workspace: string;

  before(async function () {
    const { noPython, workspaces } = await hostFacts();
    if (noPython !== undefined) skipAloud(this, noPython);
    workspace = workspaces.prod;
    const [first, second] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined && second !== undefined);
    [folder, other] = [first, second];
    ana = new PersonAtWindow().signsInAs(PEOPLE.ana).pick('next-shelf', 'ml-prod');
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.useInFolder');
  });
  after(async () => {
    await vscode.commands.executeCommand('databricksMlOam.signOut');
    ana[Symbol.dispose]();
    for (const file of written) await rm(file, { force: true });
  });

  /** Debugs a program to its end, with real debugpy, and gives what it found in its environment. */
  async function environmentOf(
    where: vscode.WorkspaceFolder,
    configuration: Record<string, unknown> = {},
  ): Promise<Record<string, string | undefined>> {
    const program = join(tmpdir(), `oam-debugged-${String(process.pid)}.py`);
    const output = join(tmpdir(), `oam-debugged-${String(process.pid)}-${String(written.length)}.json`);
    written.push(program, output);
    await writeFile(program, PROGRAM);
    const started = await vscode.debug.startDebugging(where, {
      ...{ type: 'debugpy', request: 'launch', name: 'Score', console: 'internalConsole' },
      ...{ program, args: [output], cwd: where.uri.fsPath },
      ...configuration,
    });
    assert.equal(started, true);
    const text = await until('the program has written its environment', async () => {
      const found = await readFile(output, 'utf8').catch(() => '');
      return found.endsWith('}') && found;
    });
    return JSON.parse(text) as Record<string, string | undefined>;
  }

  it("has its folder's pointer, also where the window's folders disagree", async () => {
    const environment = await environmentOf(folder, { env: { EPOCHS: '3' } });
    assert.equal(environment['EPOCHS'], '3');
    assert.equal(environment['DATABRICKS_HOST'], workspace);
    const answer = await fetch(environment['DATABRICKS_METADATA_SERVICE_URL'] ?? '', {
      headers: { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': workspace },
    });
    assert.equal(answer.status, 200);
    assert.equal((await environmentOf(other))['DATABRICKS_METADATA_SERVICE_URL'], undefined);
  });

  it('has it as a test run too, which is a session with a purpose', async () => {
    const environment = await environmentOf(folder, { purpose: ['debug-test'] });
    assert.equal(environment['DATABRICKS_AUTH_TYPE'], 'metadata-service');
  });

  it("keeps the person's own sign-in, and says so once", async () => {
    const own = { env: { DATABRICKS_CONFIG_PROFILE: 'mine' } };
    for (const environment of [await environmentOf(folder, own), await environmentOf(folder, own)]) {
      assert.equal(environment['DATABRICKS_CONFIG_PROFILE'], 'mine');
      assert.equal(environment['DATABRICKS_METADATA_SERVICE_URL'], undefined);
    }
    assert.deepEqual(
      ana.told.filter((text) => text.includes('debug configuration Score')),
      ['The debug configuration Score sets DATABRICKS_CONFIG_PROFILE itself, so OAM leaves it alone.'],
    );
  });

  it('is left to Databricks’ own extension where that was asked for', async () => {
    const environment = await environmentOf(folder, { databricks: true });
    assert.equal(environment['DATABRICKS_METADATA_SERVICE_URL'], undefined);
  });

  it('stands in the list of whom each place answers as', async () => {
    const offered: OfferedLine[] = [];
    ana.sees((items) => offered.push(...items));
    await vscode.commands.executeCommand('databricksMlOam.whoAmI');
    const [first, second] = offered;
    assert.equal(first?.label, '$(folder) next-shelf');
    assert.equal(first.description, `${PEOPLE.ana.userName} in ml-prod`);
    assert.match(first.detail ?? '', /debug sessions and tests answer as you/);
    assert.match(first.detail ?? '', /set up after their first cell/);
    assert.match(second?.detail ?? '', /Not in use in this folder/);
  });
});
