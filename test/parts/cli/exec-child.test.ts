import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import { runChild } from '../../../src/cli/exec/child.ts';
import { childEnvironment, cleanEnvironment } from '../../../src/cli/exec/child-environment.ts';
import { NotStartedError } from '../../../src/cli/failure.ts';
import { CancelledError } from '../../../src/domain/errors.ts';
import { createSignalDesk } from '../../../src/cli/signals.ts';

const POINTER = {
  DATABRICKS_HOST: 'https://ml-prod.cloud.databricks.com',
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:1/path',
} as const;

describe('oam exec: the environment of the program', () => {
  it('has the pointer and nothing else of Databricks, and says the names of what it left out', () => {
    const { env, leftOut } = childEnvironment(
      {
        PATH: '/bin',
        DATABRICKS_TOKEN: 'dapi-secret',
        DATABRICKS_CONFIG_PROFILE: 'x',
        DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:9/old',
        databricks_host: 'lower case counts on Windows',
        EMPTY: undefined,
      },
      POINTER,
    );
    assert.deepEqual(env, { PATH: '/bin', ...POINTER });
    assert.deepEqual(leftOut, [
      'DATABRICKS_CONFIG_PROFILE',
      'DATABRICKS_METADATA_SERVICE_URL',
      'DATABRICKS_TOKEN',
      'databricks_host',
    ]);
  });

  it('keeps everything else as it was, whatever the names', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), (inherited) => {
        const { env, leftOut } = childEnvironment(inherited, POINTER);
        const kept = Object.keys(inherited).filter((name) => !leftOut.includes(name));
        for (const name of kept) assert.equal(env[name], inherited[name]);
        assert.equal(Object.keys(env).length, kept.length + 3);
        assert.ok(leftOut.every((name) => name.toUpperCase().startsWith('DATABRICKS_')));
      }),
      { examples: [[JSON.parse('{"__proto__": "a name like any other"}') as Record<string, string>]] },
    );
  });
});

describe('oam exec --clean: the environment of the program', () => {
  it('has nothing that says where Databricks is and as whom', () => {
    const { env, leftOut } = cleanEnvironment({
      ...POINTER,
      PATH: '/bin',
      DATABRICKS_TOKEN: 'dapi-secret',
      MLFLOW_TRACKING_URI: 'databricks',
      mlflow_tracking_token: 'lower case counts on Windows',
      MLFLOW_EXPERIMENT_NAME: 'stays',
      OAM_ROLE_DATABRICKS_HOST: POINTER.DATABRICKS_HOST,
      OAM_HAND_OVER: 'oamh_once',
      OAM_URL: 'https://oam.example.com',
    });
    assert.deepEqual(env, {
      PATH: '/bin',
      MLFLOW_EXPERIMENT_NAME: 'stays',
      OAM_URL: 'https://oam.example.com',
    });
    assert.deepEqual(
      leftOut,
      [
        ...Object.keys({ ...POINTER, DATABRICKS_TOKEN: '' }),
        ...['MLFLOW_TRACKING_URI', 'OAM_ROLE_DATABRICKS_HOST', 'mlflow_tracking_token'],
      ].sort(),
    );
  });
});

describe('oam exec: the program', function () {
  this.timeout(15_000);

  const run = (
    code: string,
    o: {
      signals?: ReturnType<typeof createSignalDesk>;
      atTerminal?: boolean;
      outlivesTerminal?: boolean;
    } = {},
  ) =>
    runChild({
      command: process.execPath,
      args: ['-e', code],
      env: { PATH: process.env['PATH'] ?? '' },
      signals: o.signals ?? createSignalDesk(),
      atTerminal: o.atTerminal ?? false,
      outlivesTerminal: o.outlivesTerminal ?? false,
    });

  it('gives its exit code', async () => {
    assert.equal(await run('process.exit(0)'), 0);
    assert.equal(await run('process.exit(42)'), 42);
  });

  it('gives 128 and the number of the signal that ended it', async () => {
    assert.equal(await run('process.kill(process.pid, "SIGKILL")'), 137);
  });

  it('is found, or it is said that it is not', async () => {
    for (const outlivesTerminal of [false, true]) {
      const start = (command: string) =>
        runChild({
          ...{ command, args: [], env: { PATH: '/bin' }, signals: createSignalDesk() },
          ...{ atTerminal: false, outlivesTerminal },
        });
      for (const [command, exitCode] of [
        ['/no/such/program', 127],
        ['no-such-program', 127],
        [tmpdir(), 126],
      ] as const) {
        await assert.rejects(start(command), (error) => {
          assert.ok(error instanceof NotStartedError);
          return error.exitCode === exitCode;
        });
      }
    }
  });

  it('ignores that its terminal goes away where it is to outlive it, unless it takes the signal itself', async () => {
    const hangUp = 'process.kill(process.pid, "SIGHUP"); setTimeout(() => process.exit(3), 50);';
    assert.equal(await run(hangUp), 129);
    const shell = (code: string, outlivesTerminal: boolean) =>
      runChild({
        ...{ command: 'sh', args: ['-c', code], env: { PATH: process.env['PATH'] ?? '' } },
        ...{ signals: createSignalDesk(), atTerminal: false, outlivesTerminal },
      });
    assert.equal(await shell('kill -HUP $$; exit 3', false), 129);
    assert.equal(await shell('kill -HUP $$; exit 3', true), 3);
    // Node takes every signal back as it starts, so this one hears it again.
    assert.equal(
      await run(`process.on('SIGHUP', () => process.exit(4)); ${hangUp}`, { outlivesTerminal: true }),
      4,
    );
    assert.equal(await run('process.exit(42)', { outlivesTerminal: true }), 42);
    assert.equal(await run('process.kill(process.pid, "SIGKILL")', { outlivesTerminal: true }), 137);
  });

  /** A program that says when it is ready, in a file, and ends by its own code when it gets a signal. */
  async function withSignal(
    atTerminal: boolean,
    deliver: (desk: ReturnType<typeof createSignalDesk>) => void,
  ) {
    const folder = await mkdtemp(join(tmpdir(), 'oam-exec-'));
    const ready = join(folder, 'ready');
    await writeFile(ready, '');
    const signals = createSignalDesk();
    try {
      const ended = run(
        `for (const [name, code] of [['SIGINT', 11], ['SIGTERM', 12], ['SIGHUP', 13], ['SIGQUIT', 14], ['SIGUSR1', 15], ['SIGUSR2', 16],
                                    ['SIGXCPU', 17], ['SIGALRM', 18]])
           process.on(name, () => process.exit(code));
         require('fs').writeFileSync(${JSON.stringify(ready)}, 'yes');
         setInterval(() => {}, 1000);`,
        { signals, atTerminal },
      );
      while ((await readFile(ready, 'utf8')) !== 'yes')
        await new Promise((resolve) => setTimeout(resolve, 10));
      deliver(signals);
      return { code: await ended, signals };
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  for (const [signal, code] of [
    ['SIGINT', 11],
    ['SIGTERM', 12],
    ['SIGHUP', 13],
    ['SIGQUIT', 14],
    ['SIGUSR1', 15],
    ['SIGUSR2', 16],
    ['SIGXCPU', 17],
    ['SIGALRM', 18],
  ] as const) {
    it(`gets ${signal} from us and decides itself what to do`, async () => {
      const outcome = await withSignal(false, (desk) => {
        desk.deliver(signal);
      });
      assert.equal(outcome.code, code);
      assert.equal(outcome.signals.stop.aborted, false);
    });
  }

  it('does not get Ctrl-C a second time at a terminal, which sends it by itself', async () => {
    const outcome = await withSignal(true, (desk) => {
      desk.deliver('SIGINT');
      desk.deliver('SIGQUIT');
      desk.deliver('SIGTERM');
    });
    assert.equal(outcome.code, 12);
  });

  it('is not begun where it was called off before, whatever was done in between', async () => {
    for (const outlivesTerminal of [false, true]) {
      const signals = createSignalDesk({ outlivesTerminal });
      const begun = run('process.exit(0)', { signals, outlivesTerminal });
      if (!outlivesTerminal) await begun;
      signals.deliver('SIGTERM');
      const called = outlivesTerminal ? begun : run('process.exit(0)', { signals });
      await assert.rejects(called, (error) => error instanceof CancelledError);
    }
  });

  it('leaves signals to others once it has ended', async () => {
    const signals = createSignalDesk();
    await run('process.exit(0)', { signals });
    signals.deliver('SIGUSR1');
    assert.equal(signals.stop.aborted, false);
    signals.deliver('SIGTERM');
    assert.equal(signals.stop.aborted, true);
    assert.equal(signals.received, 'SIGTERM');
  });
});
