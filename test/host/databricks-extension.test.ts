import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as vscode from 'vscode';

import {
  isSignedInByDatabricks,
  tellOfDatabricksExtension,
} from '../../src/extension/injection/databricks-extension.ts';
import { PersonAtWindow } from './person.ts';

describe("Databricks' own extension beside ours", () => {
  it('has the notebooks of a folder where it was configured for it, which is said once', async () => {
    const [first, second] = vscode.workspace.workspaceFolders ?? [];
    assert(first !== undefined && second !== undefined);
    const folders = [first, second].map(({ uri, name }) => ({ uri: uri.toString(), name }));
    const settings = join(first.uri.fsPath, '.databricks');
    const told = new Set<string>();
    const memory = {
      isToldOfOwnSettings: (what: string) => told.has(what),
      setToldOfOwnSettings: (what: string) => Promise.resolve(void told.add(what)),
    };
    using person = new PersonAtWindow();
    try {
      await mkdir(settings);
      await writeFile(join(settings, '.databricks.env'), 'DATABRICKS_CLUSTER_ID=1\n');
      assert.deepEqual(folders.map(isSignedInByDatabricks), [false, false], 'it names no sign-in');
      await writeFile(join(settings, '.databricks.env'), 'DATABRICKS_HOST=https://x\n');
      assert.deepEqual(folders.map(isSignedInByDatabricks), [true, false]);
      await tellOfDatabricksExtension(folders, memory);
      await tellOfDatabricksExtension(folders, memory);
      assert.deepEqual(person.told, [
        `Databricks' own extension signs the notebooks of ${first.name} in, and OAM leaves them to it. Terminals, tasks and other debug sessions work with OAM.`,
      ]);
    } finally {
      await rm(settings, { recursive: true });
    }
  });
});
