import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { skipAloud } from '../reporting/skip.ts';
import { askBroker } from './broker.ts';
import { PersonAtWindow } from './person.ts';
import { type Pointer, pointerIn, terminalEnvironment } from './terminal.ts';
import { until } from './until.ts';

describe('the places of a folder', () => {
  let folder: vscode.WorkspaceFolder;
  let ana: PersonAtWindow;

  before(function () {
    if (process.platform === 'win32') skipAloud(this, 'the terminals of these tests run /bin/sh');
  });
  beforeEach(async () => {
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined);
    folder = first;
    ana = new PersonAtWindow().signsInAs(PEOPLE.ana).pick('next-shelf', 'ml-prod');
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    await vscode.commands.executeCommand('databricksMlOam.useInFolder');
  });
  afterEach(async () => {
    await vscode.commands.executeCommand('databricksMlOam.signOut');
    ana[Symbol.dispose]();
  });

  const inTerminal = async (): Promise<Pointer> => pointerIn(await terminalEnvironment(folder.uri));
  const answered = async (pointer: Pointer): Promise<number> => (await askBroker(pointer)).status;

  /** What a task finds in its environment. */
  async function inTask(): Promise<Pointer> {
    const scratch = await mkdtemp(join(tmpdir(), 'oam-task-'));
    try {
      const file = join(scratch, 'env');
      const task = new vscode.Task(
        { type: 'shell' },
        folder,
        'environment',
        'test',
        new vscode.ShellExecution(`env -0 > '${file}' && mv '${file}' '${file}.whole'`),
      );
      await vscode.tasks.executeTask(task);
      const text = await until('the task has written its environment', () =>
        readFile(`${file}.whole`, 'utf8').catch(() => undefined),
      );
      const entries = text.split('\0').map((line): [string, string] => {
        const [name = '', ...value] = line.split('=');
        return [name, value.join('=')];
      });
      return pointerIn(new Map(entries));
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  it('have one address, tasks as terminals, until OAM is taken out of the folder: then it is closed at once', async () => {
    const pointer = await inTerminal();
    assert.equal(await answered(pointer), 200);
    assert.deepEqual(await inTask(), pointer);

    await vscode.commands.executeCommand('databricksMlOam.stopInFolder');
    assert.equal(await answered(pointer), 410);
    assert.equal((await inTerminal()).url, undefined);
    assert.equal((await inTask()).url, undefined);
    assert(ana.told.some((text) => text.startsWith('OAM is no longer used in next-shelf.')));
  });

  it('are left alone where a .env says who signs in, which is said, and work again when it does not', async () => {
    const before = await inTerminal();
    const dotenv = join(folder.uri.fsPath, '.env');
    await writeFile(dotenv, 'DATABRICKS_CONFIG_PROFILE=mine\n');
    try {
      // Nobody signs in or reloads: the file is noticed.
      await until('the window says it', () =>
        ana.told.includes(
          'This folder sets DATABRICKS_CONFIG_PROFILE itself, so OAM leaves its terminals and kernels alone.',
        ),
      );
      assert.equal((await inTerminal()).url, undefined);
      assert.equal(await answered(before), 410);
    } finally {
      await rm(dotenv);
    }
    const after = await until('the folder has an address again', async () => {
      const pointer = await inTerminal();
      return pointer.url !== undefined && pointer;
    });
    assert.equal(await answered(after), 200);
  });

  it('are left alone where the settings of terminals say who signs in', async () => {
    const platform = process.platform === 'darwin' ? 'osx' : 'linux';
    const settings = vscode.workspace.getConfiguration('terminal.integrated.env', folder.uri);
    await settings.update(platform, { DATABRICKS_TOKEN: 'dapi-mine' }, vscode.ConfigurationTarget.Workspace);
    try {
      await vscode.commands.executeCommand('databricksMlOam.useInFolder');
      const environment = await terminalEnvironment(folder.uri);
      assert.equal(environment.get('DATABRICKS_TOKEN'), 'dapi-mine');
      assert.equal(pointerIn(environment).url, undefined);
    } finally {
      await settings.update(platform, undefined, vscode.ConfigurationTarget.Workspace);
    }
  });
});
