import assert from 'node:assert/strict';

import { endPrograms, oam, type RunOptions } from './oam-process.ts';

/** A terminal of OAM's: a pointer, and what somebody set besides. There is no control plane, and none is named. */
const TERMINAL = {
  DATABRICKS_HOST: 'https://ml-prod.cloud.databricks.com',
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:1/path',
  DATABRICKS_TOKEN: 'dapi-secret',
  MLFLOW_TRACKING_URI: 'databricks',
  OAM_HAND_OVER: 'oamh_once',
};

const clean = (code: string, o: RunOptions = {}) =>
  oam(['exec', '--clean', '--', process.execPath, '-e', code], { env: TERMINAL, ...o });

describe('oam exec --clean', function () {
  this.timeout(30_000);
  afterEach(endPrograms);

  it('runs a program outside of OAM, without a sign-in or a control plane', async () => {
    const run = await clean(
      `console.log(Object.keys(process.env).filter((name) => /DATABRICKS|MLFLOW|OAM/.test(name)), process.env.HOME)`,
    );
    assert.deepEqual([run.code, run.stdout], [0, '[] /dev/null\n'], run.stderr);
    assert.equal(
      run.stderr,
      "Left out of the program's environment: DATABRICKS_AUTH_TYPE, DATABRICKS_HOST, DATABRICKS_METADATA_SERVICE_URL, DATABRICKS_TOKEN, MLFLOW_TRACKING_URI\n",
    );
  });

  it('gives its exit code', async () => {
    assert.equal((await clean('process.exit(42)')).code, 42);
    assert.equal((await oam(['exec', '--clean', '--', 'no-such-program'])).code, 127);
  });

  for (const [signal, code] of [
    ['SIGINT', 11],
    ['SIGTERM', 12],
    ['SIGHUP', 13],
    ['SIGQUIT', 14],
    ['SIGUSR1', 15],
    ['SIGUSR2', 16],
  ] as const) {
    it(`passes ${signal} on, and waits for what the program makes of it`, async () => {
      let told = false;
      const run = await clean(
        `process.on('${signal}', () => process.exit(${code})); setInterval(() => {}, 1000); console.log('up');`,
        {
          onStdout(_text, kill) {
            if (told) return;
            told = true;
            kill(signal);
          },
        },
      );
      assert.equal(run.code, code, run.stderr);
      // To Node's debugger everybody on the machine could connect, and read what this process holds.
      assert.doesNotMatch(run.stderr, /Debugger/);
    });
  }

  for (const flags of [
    ['--role', 'recsys-deployer'],
    ['--workspace', 'ml-prod'],
    ['--for', '1h'],
    ['--purpose', 'p'],
    ['--ticket', 'T-1'],
  ]) {
    it(`refuses ${flags.join(' ')} beside it, and runs nothing`, async () => {
      const run = await oam([
        'exec',
        '--clean',
        ...flags,
        '--',
        process.execPath,
        '-e',
        'console.log("ran")',
      ]);
      assert.deepEqual([run.code, run.stdout], [2, '']);
      assert.match(run.stderr, /^oam: With --clean the program gets no access from OAM\. Leave --role/);
    });
  }
});
