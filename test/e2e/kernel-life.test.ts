import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { OamWindow } from '../../demo/tour/oamWindow.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { editors } from './editors.ts';
import { bringEndsNearer } from './nearer-end.ts';
import { picture } from './pictures.ts';

/** Little more than a broker hands out at all, so that waiting a token out takes seconds. */
const TOKEN_SECONDS = 12;

const MINUTE_MS = 60_000;
const WITHIN_MS = 120_000;
const QUERY_ROLE = 'Query the recsys ranker';

const CELLS = [
  'import os, sys; sys.path.append(os.environ["OAM_NOTEBOOK"]); import oam_access; oam_access.load()',
  '%oam',
  `import hashlib
from databricks.sdk import WorkspaceClient

if "workspace" not in globals():
    workspace, tokens, runs = WorkspaceClient(), [], 0
token = hashlib.sha256(workspace.config.authenticate()["Authorization"].encode()).hexdigest()
tokens += [token] if token not in tokens else []
print("Process", os.getpid(), "has its token number", len(tokens))
try:
    answer = workspace.serving_endpoints.query(name="recsys-ranker-prod", dataframe_records=[{"user_id": 42}])
    print("The ranker answers:", answer.predictions)
except Exception as error:
    print(type(error).__name__ + ":", str(error).split(" Please")[0])`,
  'runs += 1\nprint("Run", runs)',
];

/** Asks again and again, with one client from its start to its end, and writes down what came of it. */
const PROGRAM = `
import hashlib, os, time
from databricks.sdk import WorkspaceClient

workspace, tokens = WorkspaceClient(), []
while True:
    try:
        token = hashlib.sha256(workspace.config.authenticate()["Authorization"].encode()).hexdigest()
        tokens += [token] if token not in tokens else []
        said = workspace.current_user.me().user_name
    except Exception as error:
        said = type(error).__name__
    with open("said.log", "a") as log:
        log.write(f"{os.getpid()} {len(tokens)} {said}\\n")
    time.sleep(0.5)
`;

describe('what runs in the editor, as its user sees it', function () {
  this.timeout(600_000);
  const there = editors({ databricksTokenSeconds: TOKEN_SECONDS });

  const fileOf = (window: string, name: string): string =>
    join(there().stage.folder, window, 'home', 'next-shelf', name);

  it('is a kernel that lives through three expiries, a warning, a renewal and a revocation', async () => {
    const ana = await there().open('ana-kernel', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    await writeFile(fileOf('ana-kernel', 'life.ipynb'), notebookOf(CELLS));
    await openFile(ana, 'life.ipynb');
    await ana.workbench.notebook('%oam').waitFor();

    let runs = 0;
    const run = async (): Promise<string> => {
      runs += 1;
      await ana.workbench.runAllCells();
      return ana.workbench.waitForNotebookOutput(new RegExp(`^Run ${String(runs)}$`, 'm'));
    };
    const runUntil = async (pattern: RegExp): Promise<string> => {
      const deadline = performance.now() + WITHIN_MS;
      for (;;) {
        const text = await run();
        if (pattern.test(text)) return text;
        assert(performance.now() < deadline, text);
        await delay(500);
      }
    };
    const processIn = (text: string): string | undefined => /Process (\d+)/.exec(text)?.[1];

    const everyday = await runUntil(/everyday access, and no role/);
    assert.match(everyday, /OAM: ana\.silva@example\.com in /);
    assert.match(everyday, /PermissionDenied: User ana\.silva@example\.com does not have permission/);
    await picture(ana, 'kernel-1-everyday');

    await ana.request(QUERY_ROLE, 'Compare the ranker with the new training run', 30);
    await ana.line('ml-prod', 'Granted for a time', new RegExp(`${QUERY_ROLE}.*left`));
    await bringEndsNearer(there().stage, 16 * MINUTE_MS);
    await ana.workbench.command('Databricks ML OAM: Refresh');
    const warned = await runUntil(/OAM: The access ends at \d\d:\d\d: Query the recsys ranker\./);
    assert.match(warned, /Keep it with `oam extend /);
    await picture(ana, 'kernel-2-warned');
    await runUntil(/The ranker answers/);

    const later = await runUntil(/token number [4-9]/);
    assert.match(later, /The ranker answers/);
    await picture(ana, 'kernel-3-three-expiries');

    // It has hidden itself in the meantime, and waits behind the bell.
    await ana.workbench.command('Notifications: Show Notifications');
    const warning = ana.page.locator('.notifications-center .monaco-list-row').filter({
      hasText: new RegExp(`Ends at .*: ${QUERY_ROLE}`),
    });
    await warning.getByRole('button', { name: 'Extend' }).waitFor();
    await picture(ana, 'kernel-4-extend');
    await warning.getByRole('button', { name: 'Extend' }).click();
    const extended = await runUntil(/Query the recsys ranker: (?:[2-9]\d|\d+ h \d+) min left/);
    assert.match(extended, /The ranker answers/);
    await picture(ana, 'kernel-5-extended');
    await ana.workbench.clearNotifications();

    const lena = await there().open('lena-ends-it', { trusted: false, signedInAs: PEOPLE.lena });
    const line = await lena.teamLine('Ana Silva', QUERY_ROLE);
    await lena.workbench.press(line, 'Revoke Access');
    await lena.workbench.answer('Why does it end now? Ana Silva reads this.', 'The comparison is over');
    await ana.workbench.notification(`Revoked by ${PEOPLE.lena.displayName}: ${QUERY_ROLE}`).waitFor();
    const revoked = await runUntil(/OAM: The access has ended: Query the recsys ranker\./);
    await picture(ana, 'kernel-6-revoked');
    assert.match(revoked, /PermissionDenied/);
    assert.match(await run(), /everyday access, and no role/);
    assert.equal(processIn(revoked), processIn(everyday), 'one process from the first run to the last');
  });

  it('is a program that goes on over a reload of the window, with the address and the client it began with', async () => {
    const ana = await there().open('ana-runs-on', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    await writeFile(fileOf('ana-runs-on', 'ask.py'), PROGRAM);
    const terminal = await ana.workbench.openTerminal();
    await terminal.run('nohup python ask.py > /dev/null 2>&1 &');
    const said = async (): Promise<string[][]> =>
      (await readFile(fileOf('ana-runs-on', 'said.log'), 'utf8').catch(() => ''))
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' '));
    const askedOn = async (tokens: number): Promise<string[]> => {
      const deadline = performance.now() + WITHIN_MS;
      for (;;) {
        const last = (await said()).at(-1) ?? [];
        if (Number(last[1]) >= tokens && last[2] === PEOPLE.ana.userName) return last;
        assert(performance.now() < deadline, last.join(' '));
        await delay(200);
      }
    };
    const [pid = '', before = ''] = await askedOn(1);
    try {
      await ana.page.reload();
      await ana.showSideBar();
      // Two more than it had: the second is certainly one that it was given after the reload.
      const [pidAfter] = await askedOn(Number(before) + 2);
      assert.equal(pidAfter, pid);
      assert.equal(new Set((await said()).map(([process]) => process)).size, 1);
    } finally {
      process.kill(Number(pid));
    }
  });

  it('is told when access has ended by itself, with a button that asks for it again', async () => {
    const ana = await there().open('ana-ended', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    await ana.request(QUERY_ROLE, 'Compare the ranker with the new training run', 5);
    await ana.line('ml-prod', 'Granted for a time', new RegExp(`${QUERY_ROLE}.*left`));
    const terminal = await ana.workbench.openTerminal();
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/The ranker answers/);
    await bringEndsNearer(there().stage, 5 * MINUTE_MS);
    const ended = await ana.workbench.noticed(`Ended: ${QUERY_ROLE}`);
    await ended.getByRole('button', { name: 'Request Access' }).waitFor();
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/PERMISSION_DENIED/);
    await picture(ana, 'terminal-ended');
  });
});

async function openFile(window: OamWindow, name: string): Promise<void> {
  await window.workbench.command('Go to File...');
  const { input, row } = window.workbench.quickInput();
  await input.fill(name);
  await row(name).first().click();
}

function notebookOf(sources: readonly string[]): string {
  return JSON.stringify({
    cells: sources.map((source) => ({
      ...{ cell_type: 'code', source, execution_count: null, metadata: {}, outputs: [] },
    })),
    ...{ metadata: {}, nbformat: 4, nbformat_minor: 4 },
  });
}
