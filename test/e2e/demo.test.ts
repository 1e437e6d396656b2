import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import { startProcess, type RunningProcess } from '../../demo/stage/processes.ts';

const StepLine = z.object({ step: z.string(), ok: z.boolean(), ms: z.number(), detail: z.string() });

/** Of the ports that the tests take for a demo: away from its own, which somebody may be using. */
const PORT = 17_654;

const running: RunningProcess[] = [];

const demo = (...words: string[]): RunningProcess => {
  const started = startProcess({
    name: 'npm run demo',
    command: process.execPath,
    arguments: ['demo/main.ts', ...words],
    cwd: ROOT,
  });
  running.push(started);
  return started;
};

describe('npm run demo', () => {
  afterEach(async () => {
    for (const started of running.splice(0)) await started.stop(20_000);
  });

  it('prints where to look and who to be, serves it, and leaves nothing running after Ctrl-C', async function () {
    this.timeout(300_000);
    const started = demo('--port', String(PORT));
    const [, url = ''] = await started.waitForLine(/Your editor\s+(http\S+)/, 240_000);
    await started.waitForLine(/Ctrl-C stops everything/, 10_000);
    assert.match(started.tail(), /ana\.silva@example\.com\s+\S+/);
    // With the token the editor sets its cookie; without it nobody gets in.
    const answer = await fetch(url, { redirect: 'manual' });
    assert.match(answer.headers.get('set-cookie') ?? '', /^vscode-tkn=/);
    assert.equal((await fetch(new URL(url).origin)).status, 403);
    const children = descendants(started.pid);
    assert.ok(children.length >= 4, `only ${String(children.length)} processes`);

    process.kill(started.pid, 'SIGINT');
    assert.deepEqual(await started.ended, { code: 130, signal: null });
    assert.deepEqual(children.filter(isAlive).map(commandOf), []);
    for (let port = PORT; port < PORT + 7; port += 1) {
      await assert.rejects(fetch(`http://127.0.0.1:${String(port)}`), `port ${String(port)} still answers`);
    }
  });

  it('says in one sentence what to do when a port is taken', async () => {
    const server = createServer().listen(PORT + 3, '127.0.0.1');
    await once(server, 'listening');
    try {
      const started = demo('--port', String(PORT));
      const { code } = await started.ended;
      await started.drained;
      assert.equal(code, 1);
      assert.match(started.tail(), /^Port 17657 is taken: stop what listens there, or .*--port \d+`\.$/);
    } finally {
      server.close();
    }
  });

  it('says in one sentence what to do when there is no Python', async () => {
    const started = startProcess({
      name: 'npm run demo',
      command: process.execPath,
      arguments: ['demo/main.ts', '--port', String(PORT)],
      cwd: ROOT,
      env: { ...process.env, PYTHON: '/nowhere/python3' },
    });
    running.push(started);
    const { code } = await started.ended;
    await started.drained;
    assert.equal(code, 1);
    assert.match(started.tail(), /^No Python 3\.10 or newer was found: run .*then try again\.$/m);
  });

  it('plays the tour: every step is seen to be true', async function () {
    this.timeout(600_000);
    const lines: string[] = [];
    const started = startProcess({
      name: 'the tour',
      command: process.execPath,
      arguments: ['demo/main.ts', '--tour'],
      cwd: ROOT,
      onLine: (line) => lines.push(line),
    });
    running.push(started);
    const { code } = await started.ended;
    await started.drained;
    const steps = lines
      .filter((line) => line.startsWith('{'))
      .map((line) => StepLine.parse(JSON.parse(line)));
    assert.deepEqual(
      steps.filter((step) => !step.ok),
      [],
    );
    assert.equal(code, 0);
    assert.ok(steps.length >= 14, `only ${String(steps.length)} steps`);
    const folder = join(ROOT, '.demo/tour');
    assert.ok(
      existsSync(folder) && readdirSync(folder).filter((file) => /^\d\d-/.test(file)).length >= steps.length,
    );
  });
});

/** All processes below one, by their ids. */
function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined;
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const below = (of: number): number[] =>
    [...parents].filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

function parentOf(pid: number): number | undefined {
  const stat = statOf(pid);
  return stat === undefined ? undefined : Number(stat[1]);
}

/** A process that has ended but was not waited for yet is not alive. */
function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat[0] !== 'Z';
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
      .replaceAll('\0', ' ')
      .trim();
  } catch {
    return '';
  }
}

/** State and parent, from behind the name, which may hold anything. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
