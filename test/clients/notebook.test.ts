import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { CommandLine } from './commandLine.ts';
import { notebookOf } from './notebook-file.ts';
import { clientStage, type ClientStage } from './stage.ts';

/** Little more than a broker hands out at all, so that waiting a token out takes seconds. */
const TOKEN_SECONDS = 12;

/** Renewed at half its life, thus before the last exchange; and what is then left is enough for a token. */
const ID_TOKEN_SECONDS = 30;

/** One client for all cells, as people write it. What is printed of a token cannot be used. */
const SET_UP = `
import hashlib, json, os, time
from databricks.sdk import WorkspaceClient

workspace = WorkspaceClient()

def look():
    ranker = workspace.serving_endpoints.query(name='recsys-ranker-prod', dataframe_records=[{'user_id': 42}])
    print(json.dumps({
        'kernel': os.getpid(),
        'person': workspace.current_user.me().user_name,
        'answers': len(ranker.predictions),
        'token': hashlib.sha256(workspace.config.authenticate()['Authorization'].encode()).hexdigest(),
    }))
`;

/** Whatever token was used before has run out when this looks again. */
const LOOK_AFTER_EXPIRY = `time.sleep(${String(TOKEN_SECONDS)})\nlook()`;

const Look = z.object({ kernel: z.int(), person: z.string(), answers: z.int(), token: z.string() });

const Printed = z.object({
  outputs: z.optional(z.array(z.object({ text: z.optional(z.union([z.string(), z.array(z.string())])) }))),
});
const Notebook = z.object({ cells: z.array(Printed) });

describe('oam exec -- jupyter execute', () => {
  let on: ClientStage | undefined;
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');

  before(async function () {
    on = await clientStage(this, {
      databricksTokenSeconds: TOKEN_SECONDS,
      idTokenSeconds: ID_TOKEN_SECONDS,
      absenceConfirmMs: 500,
    });
  });
  after(async () => {
    await on?.stage.close();
  });

  /** Runs a notebook in the role of the ranker's callers, and gives what its cells printed. */
  async function execute(name: string): Promise<string[]> {
    const { stage, python, project } = there();
    const ana = new CommandLine({ stage, python, person: PEOPLE.ana, cwd: project });
    const { code, output } = await ana.run([
      ...[
        'exec',
        '--role',
        'recsys-endpoint-query',
        '--purpose',
        'Compare the ranker with the new training run',
      ],
      ...['--for', '5m', '--', python.jupyter, 'execute', '--output=done', name],
    ]);
    assert.equal(code, 0, output);
    const text = await readFile(join(project, 'done.ipynb'), 'utf8');
    assert.doesNotMatch(text, /eyJ|dapi/, 'a token lies in the notebook');
    const { cells } = Notebook.parse(JSON.parse(text));
    return cells.map(({ outputs }) => (outputs ?? []).flatMap((part) => part.text ?? []).join(''));
  }

  it('runs the notebook of the sample project', async () => {
    const printed = (await execute('notebook.ipynb')).join('');
    assert.match(printed, /I am ana\.silva@example\.com/);
    assert.match(printed, /A token in the environment\? False/);
    assert.match(printed, /The ranker answers: /);
  });

  it('works past two expiries of its token, in one kernel, with one client', async () => {
    const cells = [SET_UP, 'look()', LOOK_AFTER_EXPIRY, LOOK_AFTER_EXPIRY];
    await writeFile(join(there().project, 'long.ipynb'), notebookOf(cells));
    const looks = (await execute('long.ipynb')).slice(1).map((line) => Look.parse(JSON.parse(line)));
    assert.equal(looks.length, 3);
    assert.equal(new Set(looks.map(({ kernel }) => kernel)).size, 1, 'the kernel was started again');
    assert.equal(
      new Set(looks.map(({ token }) => token)).size,
      3,
      'a token was still in use after its expiry',
    );
    for (const { person, answers } of looks) {
      assert.deepEqual([person, answers], ['ana.silva@example.com', 1]);
    }
  });
});
