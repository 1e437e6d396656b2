import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { ROOT } from '../../../demo/stage/folders.ts';
import type { RunningProcess } from '../../../demo/stage/processes.ts';
import { type Stage, startStage } from '../../../demo/stage/stage.ts';
import { SEED } from '../../../src/sandbox/databricks/index.ts';
import { approveDevice, PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { CommandLine } from '../../clients/commandLine.ts';
import { skipAloud } from '../../reporting/skip.ts';

/** What has less than ten seconds left is not handed out, so that a token is in use for six. */
const TOKEN_SECONDS = 16;

const PURPOSE = ['--purpose', 'Train through the night', '--for', '30m'];

/** A job: asks the pointer and then Databricks, again and again, and says what came of it; ends by 9 when it is told to. */
const JOB = `
  import { createHash } from 'node:crypto';
  process.on('SIGTERM', () => process.exit(9));
  const { DATABRICKS_HOST: host, DATABRICKS_METADATA_SERVICE_URL: url } = process.env;
  // Each time over a connection of its own, as Databricks' Python SDK does.
  const headers = { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host, connection: 'close' };
  for (;;) {
    const { access_token: token, error } = await (await fetch(url, { headers })).json();
    if (token === undefined) console.log('refused', error);
    else {
      const me = await fetch(host + '/api/2.0/preview/scim/v2/Me', { headers: { authorization: 'Bearer ' + token } });
      console.log(me.ok ? 'works by' : 'not let in by', createHash('sha256').update(token).digest('hex').slice(0, 12));
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
`;

describe('oam exec: a job of a night', function () {
  this.timeout(120_000);
  let stage: Stage;

  before(async () => {
    stage = await startStage({ databricksTokenSeconds: TOKEN_SECONDS, absenceConfirmMs: 200 });
  });
  after(() => stage.close());

  const as = (person: keyof typeof PEOPLE): CommandLine =>
    new CommandLine({ stage, person: PEOPLE[person], cwd: ROOT });
  const program = ['--', process.execPath, '--input-type=module', '-e', JOB];

  const startMember = (): RunningProcess =>
    as('ana').start(['exec', '--role', 'recsys-endpoint-query', ...PURPOSE, ...program]);

  async function startDeployer(): Promise<RunningProcess> {
    const running = as('ana').start(['exec', '--role', 'recsys-deployer', ...PURPOSE, ...program]);
    const [, request = ''] = await running.waitForLine(/\(request ([^)]+)\)/, 60_000);
    const approved = await as('lena').run(['approve', request]);
    assert.equal(approved.code, 0, approved.output);
    return running;
  }

  /** The name of the token that the job works by now. */
  async function token(running: RunningProcess): Promise<string> {
    const [, name = ''] = await running.waitForLine(/works by (\w+)/, 60_000);
    return name;
  }

  async function untilAnother(running: RunningProcess, former: string): Promise<void> {
    await running.waitForLine(new RegExp(`works by (?!${former})`), 60_000);
  }

  /** Tells the job to stop: it ends by its own code, and what it had is given back. */
  async function stop(running: RunningProcess, groupId: string): Promise<void> {
    assert.doesNotMatch(running.tail(), /not let in/);
    process.kill(running.pid, 'SIGTERM');
    const { code } = await running.ended;
    await running.drained;
    assert.equal(code, 9, running.tail());
    assert.match(running.tail(), /Returned /);
    await untilNobodyIsIn(groupId);
  }

  async function untilNobodyIsIn(groupId: string): Promise<void> {
    while (stage.databricks.members(groupId).length > 0) await delay(50);
  }

  it('goes on after sleep: what it asks for next is a fresh token, never the one that expired meanwhile', async () => {
    const running = startMember();
    const before = await token(running);
    process.kill(running.pid, 'SIGSTOP');
    await delay((TOKEN_SECONDS + 1) * 1_000);
    process.kill(running.pid, 'SIGCONT');
    await untilAnother(running, before);
    await stop(running, SEED.jitGroups.endpointQuery.id);
  });

  it('notices nothing of a control plane that is away while its token lives, and goes on once it is back', async () => {
    const running = await startDeployer();
    const before = await token(running);
    await stage.controlPlane.kill();
    const lines = running.tail().split('\n').length;
    // Works by the token in hand; then there is none, and it is told why.
    await running.waitForLine(/refused unreachable/, 60_000);
    const meanwhile = running.tail().split('\n').slice(lines);
    assert.ok(
      meanwhile.some((line) => line.startsWith('works by')),
      running.tail(),
    );
    await stage.controlPlane.restart();
    await untilAnother(running, before);
    await stop(running, SEED.jitGroups.deployer.id);
  });

  it('leaves the access that it asked for to another job that works with it, which returns it at its own end', async () => {
    const first = startMember();
    await token(first);
    const second = startMember();
    await second.waitForLine(/Using your grant of /, 60_000);
    await token(second);
    process.kill(first.pid, 'SIGTERM');
    assert.equal((await first.ended).code, 9, first.tail());
    await first.drained;
    assert.match(first.tail(), /stays: other programs of yours work with it/);
    assert.equal(stage.databricks.members(SEED.jitGroups.endpointQuery.id).length, 1);
    await stop(second, SEED.jitGroups.endpointQuery.id);
  });

  it('does not begin what its session cannot carry to its end', async () => {
    const short = await stage.anotherControlPlane('short-sessions', {}, { sessions: { absoluteHours: 8 } });
    const run = (...words: string[]) =>
      as('ana').run(['exec', ...words, '--', 'echo', 'it ran'], { OAM_URL: short.url });
    const long = await run('--workspace', 'ml-prod', '--for', '10h');
    assert.equal(long.code, 1, long.output);
    assert.match(long.output, /ends your session before the time that you need, so nothing was started/);
    assert.doesNotMatch(long.output, /it ran/);
    const { code, output } = await run('--workspace', 'ml-prod', '--for', '7h');
    assert.equal(code, 0, output);
    assert.match(output, /it ran/);
  });
});

/** Gives a shell a terminal, types the line of the first argument into it, and closes it when the input ends. */
const TERMINAL = `
import os, pty, select, sys
pid, fd = pty.fork()
if pid == 0: os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
os.write(fd, (sys.argv[1] + "\\n").encode())
while True:
    ready, _, _ = select.select([fd, 0], [], [])
    if 0 in ready: break
    sys.stdout.buffer.write(os.read(fd, 65536))
    sys.stdout.buffer.flush()
os.close(fd)
os.waitpid(pid, 0)
`;

/** A job without a word about signals: asks its pointer until the file of its first argument is there. */
const ASKING = `
import json, os, sys, time, urllib.request
headers = {"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": os.environ["DATABRICKS_HOST"]}
while not os.path.exists(sys.argv[1]):
    request = urllib.request.Request(os.environ["DATABRICKS_METADATA_SERVICE_URL"], headers=headers)
    print("got a token" if "access_token" in json.load(urllib.request.urlopen(request)) else "nothing", flush=True)
    time.sleep(0.2)
print("done", flush=True)
`;

describe('oam exec: a terminal that is closed with the editor', function () {
  this.timeout(120_000);
  let stage: Stage;
  const terminals = new Set<ChildProcess>();
  const confirmed = new Set<string>();

  before(async function () {
    if (process.platform === 'win32') skipAloud(this, 'there are no terminals that hang up');
    stage = await startStage({ absenceConfirmMs: 200 });
  });
  after(async () => {
    for (const terminal of terminals) terminal.kill();
    await stage.close();
  });

  const GROUP = SEED.jitGroups.endpointQuery.id;
  const members = (): number => stage.databricks.members(GROUP).length;

  /** Types a line at a terminal; what it shows is in `shown()`. */
  function type(line: string) {
    const terminal = spawn('python3', ['-c', TERMINAL, line], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], HOME: stage.folder, ...stage.commandLine },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    terminals.add(terminal);
    let shown = '';
    terminal.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    return {
      shown: () => Promise.resolve(shown),
      async close(): Promise<void> {
        terminal.stdin.end();
        await once(terminal, 'exit');
        terminals.delete(terminal);
      },
    };
  }

  /** Waits for what is printed, and signs in on the way where that is asked for. */
  async function until(printed: () => Promise<string>, pattern: RegExp): Promise<void> {
    for (;;) {
      const text = await printed();
      if (pattern.test(text)) return;
      const [, verificationUri, userCode] =
        /open ([^\s?]+)\S* in a browser and\s+confirm the code (\S+)/.exec(text) ?? [];
      if (verificationUri !== undefined && userCode !== undefined && !confirmed.has(userCode)) {
        confirmed.add(userCode);
        await approveDevice({ verificationUri, userCode, person: PEOPLE.ana });
      }
      await delay(50);
    }
  }

  const exec = `${process.execPath} src/cli/main.ts exec --no-keychain --role recsys-endpoint-query --purpose Train --for 30m --`;

  for (const [how, before, after] of [
    ['with its output in a file', '', ''],
    ['under nohup, in the background', 'nohup ', ' &'],
  ] as const) {
    it(`leaves a job alone that was started ${how}: it has its own access, and gives it back at its end`, async () => {
      const name = join(stage.folder, before === '' ? 'front' : 'back');
      const [log, ended, code] = [`${name}.log`, `${name}.ended`, `${name}.py`];
      await writeFile(log, '');
      await writeFile(code, ASKING);
      const printed = () => readFile(log, 'utf8');
      const terminal = type(`${before}${exec} python3 ${code} ${ended} > ${log} 2>&1${after}`);
      await until(printed, /got a token/);
      await terminal.close();
      const sofar = (await printed()).length;
      await until(async () => (await printed()).slice(sofar), /got a token\ngot a token/);
      assert.equal(members(), 1);
      await writeFile(ended, '');
      await until(printed, /done\n[^]*Returned Query the recsys ranker/);
      while (members() > 0) await delay(50);
    });
  }

  it('ends a job that writes to it, and its access is given back though nobody reads what is said of it', async () => {
    const terminal = type(`${exec} sh -c 'while :; do echo at work; sleep 0.2; done'`);
    await until(terminal.shown, /^at work/m);
    assert.equal(members(), 1);
    await terminal.close();
    while (members() > 0) await delay(50);
  });
});
