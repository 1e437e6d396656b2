import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { type Broker, startBroker } from '../../../src/broker/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { tellNowAndThen } from '../../../src/extension/commands/tell-now-and-then.ts';
import { findAlreadySet, type PlacesToLook } from '../../../src/extension/injection/already-set.ts';
import {
  mlflowTracking,
  NO_TOKEN,
  readMlflowChoice,
} from '../../../src/extension/injection/mlflow-tracking.ts';
import { processTarget, terminalTarget } from '../../../src/extension/injection/pointer-target.ts';
import { roleShell } from '../../../src/extension/injection/role-shell.ts';
import { WindowBroker } from '../../../src/extension/injection/window-broker.ts';

const run = promisify(execFile);

const POINTER = {
  DATABRICKS_HOST: 'https://prod.cloud.databricks.com',
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:4000/abc',
} as const;

describe('what is set already', () => {
  it('is found in the environment, the .env file and the settings of terminals, by name only', () => {
    assert.deepEqual(
      findAlreadySet({
        environment: {
          DATABRICKS_CONFIG_PROFILE: 'dev',
          DATABRICKS_CLUSTER_ID: '1',
          PATH: '/bin',
          DATABRICKS_TOKEN: undefined,
        },
        dotenv: '# DATABRICKS_HOST=x\r\n export DATABRICKS_TOKEN = dapi123\nMY_DATABRICKS_HOST=1\n',
        terminalSettings: { DATABRICKS_HOST: 'https://x', DATABRICKS_TOKEN: null },
      }),
      [
        { name: 'DATABRICKS_CONFIG_PROFILE', where: 'environment' },
        { name: 'DATABRICKS_TOKEN', where: 'dotenv' },
        { name: 'DATABRICKS_HOST', where: 'terminalSettings' },
      ],
    );
  });
});

describe('pointers', () => {
  it('are put into the environment and taken away again', () => {
    const env: Record<string, string | undefined> = { PATH: '/bin' };
    const target = processTarget(env);
    target.set(POINTER);
    assert.deepEqual(env, { PATH: '/bin', ...POINTER });
    target.clear();
    assert.deepEqual(env, { PATH: '/bin' });
  });

  it('leave alone what another extension has put in their place since', () => {
    const env: Record<string, string | undefined> = {};
    const target = processTarget(env);
    target.set(POINTER);
    env['DATABRICKS_HOST'] = 'https://other';
    target.clear();
    assert.deepEqual(env, { DATABRICKS_HOST: 'https://other' });
  });

  it('take along what goes with them, and leave what went with an earlier one', () => {
    const env: Record<string, string | undefined> = { PATH: '/bin' };
    const target = processTarget(env);
    target.set({ ...POINTER, MLFLOW_TRACKING_URI: 'databricks', DATABRICKS_TOKEN: 'no-token' });
    target.set({ ...POINTER, MLFLOW_TRACKING_URI: 'databricks' });
    assert.deepEqual(env, { PATH: '/bin', ...POINTER, MLFLOW_TRACKING_URI: 'databricks' });
    target.set(POINTER);
    assert.deepEqual(env, { PATH: '/bin', ...POINTER });
    const given = new Map<string, string>();
    const terminals = terminalTarget(
      {
        persistent: true,
        description: undefined,
        replace: (name, value) => void given.set(name, value),
        delete: (name) => void given.delete(name),
      },
      'why',
    );
    terminals.set({ ...POINTER, MLFLOW_TRACKING_URI: 'databricks' });
    assert.equal(given.get('MLFLOW_TRACKING_URI'), 'databricks');
    terminals.set(POINTER);
    assert.deepEqual(Object.fromEntries(given), POINTER);
  });

  it('are given to terminals only while we run', () => {
    const log: string[] = [];
    const variables = {
      persistent: true,
      description: undefined as string | { value: string } | undefined,
      replace: (name: string, value: string) =>
        void log.push(`${name}=${value} persistent=${String(variables.persistent)}`),
      delete: (name: string) => void log.push(`-${name}`),
    };
    const target = terminalTarget(variables, 'why');
    target.set(POINTER);
    assert.equal(variables.description, 'why');
    assert(log.every((line) => line.endsWith('persistent=false')));
    log.length = 0;
    target.clear();
    assert.deepEqual(
      log.sort(),
      Object.keys(POINTER)
        .map((name) => `-${name}`)
        .sort(),
    );
  });
});

describe('where MLflow works', () => {
  const places = (change: Partial<PlacesToLook>): PlacesToLook => ({
    environment: {},
    dotenv: undefined,
    terminalSettings: {},
    ...change,
  });

  it('is left alone unless it is asked for, and what is stored is not believed', () => {
    assert.deepEqual(mlflowTracking(readMlflowChoice('off'), places({})).environment, {});
    assert.deepEqual(mlflowTracking(readMlflowChoice({ on: true }), places({})).environment, {});
  });

  it("is the pointer's workspace, with words that are no token for an MLflow that wants one", () => {
    assert.deepEqual(mlflowTracking('on', places({})), {
      environment: { MLFLOW_TRACKING_URI: 'databricks' },
      own: undefined,
    });
    assert.deepEqual(mlflowTracking('onForOldMlflow', places({})).environment, {
      MLFLOW_TRACKING_URI: 'databricks',
      DATABRICKS_TOKEN: 'no-token-oam-uses-the-pointer',
    });
  });

  it('is where the person says, wherever they say it, and then nothing is set at all', () => {
    for (const [own, where] of [
      [{ environment: { MLFLOW_TRACKING_URI: 'http://mine' } }, 'environment'],
      [{ dotenv: 'MLFLOW_TRACKING_URI=http://mine\n' }, 'dotenv'],
      [{ terminalSettings: { MLFLOW_TRACKING_URI: 'http://mine' } }, 'terminalSettings'],
    ] as const) {
      assert.deepEqual(mlflowTracking('onForOldMlflow', places(own)), {
        environment: {},
        own: { name: 'MLFLOW_TRACKING_URI', where },
      });
    }
  });

  it('names the words that are no token as the helper does', async () => {
    const helper = await readFile(new URL('../../../src/cli/kernel/oam_access.py', import.meta.url), 'utf8');
    assert.match(helper, new RegExp(`^PLACEHOLDER = "${NO_TOKEN}"$`, 'm'));
  });
});

describe('a shell that acts as a role', () => {
  it("puts the role's pointer over the person's, with nothing in the command line", async () => {
    const role = { ...POINTER, DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:4000/the-role' };
    const shell = roleShell('linux', '/bin/sh', role);
    assert(!JSON.stringify(shell.args).includes('the-role'));
    // The last word runs the person's shell; here it prints what that shell would see.
    const script = (shell.args[1] ?? '').replace('exec "$0" -i', 'env');
    assert.notEqual(script, shell.args[1]);
    const { stdout } = await run(shell.path, ['-c', script, ...shell.args.slice(2)], {
      env: { ...POINTER, DATABRICKS_TOKEN: 'dapi-of-somebody', ...shell.environment },
    });
    assert.match(stdout, /^DATABRICKS_METADATA_SERVICE_URL=http:\/\/127\.0\.0\.1:4000\/the-role$/m);
    assert.doesNotMatch(stdout, /DATABRICKS_TOKEN|OAM_ROLE/);
  });
});

describe('errors that come again and again', () => {
  it('are told once in a while for each reason', () => {
    let nowMs = 0;
    const told: string[] = [];
    const tell = tellNowAndThen({ nowMs: () => nowMs }, ({ code }) => told.push(code));
    tell(new OamError('session_expired', 'Ended.'));
    tell(new OamError('session_expired', 'Ended.', { detail: 'a program got no token' }));
    tell(new OamError('untrusted_host', 'No.'));
    nowMs = 300_000;
    tell(new OamError('session_expired', 'Ended.'));
    assert.deepEqual(told, ['session_expired', 'untrusted_host', 'session_expired']);
  });
});

describe("the window's broker", () => {
  const clock = { nowMs: () => Date.now() };
  const options = { clock, logger: silentLogger, redactor: createRedactor() };
  const taken = new OamError('port_taken', 'Taken.');
  const noStranger = (): void => assert.fail('takes a program of this user for a stranger');

  function brokerOn(port: number): Broker {
    return { port, open: () => assert.fail('not opened here'), close: () => Promise.resolve() };
  }

  it('waits for the port of before a reload, and is started once', async () => {
    let nowMs = 0;
    const asked: (number | undefined)[] = [];
    const broker = new WindowBroker({
      start: (port) => {
        asked.push(port);
        return asked.length < 3 ? Promise.reject(taken) : Promise.resolve(brokerOn(port ?? 1));
      },
      wait: (ms) => {
        nowMs += ms;
        return Promise.resolve();
      },
      clock: { nowMs: () => nowMs },
      onStranger: noStranger,
    });
    const [first, second] = await Promise.all([broker.ensure(5000), broker.ensure()]);
    assert.equal(first, second);
    assert.equal(first.port, 5000);
    assert.deepEqual(asked, [5000, 5000, 5000]);
  });

  it('leaves a port at once that a program of another user has taken, for good, and says so', async () => {
    const stranger = new OamError('port_of_another_user', 'A stranger.');
    const asked: (number | undefined)[] = [];
    const told: string[] = [];
    const broker = new WindowBroker({
      start: (port) => {
        asked.push(port);
        return port === undefined ? Promise.resolve(brokerOn(6000)) : Promise.reject(stranger);
      },
      wait: () => assert.fail('waits for a stranger to go'),
      clock: { nowMs: () => 0 },
      onStranger: ({ code }) => told.push(code),
    });
    assert.equal((await broker.ensure(5000)).port, 6000);
    assert.equal((await broker.ensure(5000)).port, 6000);
    assert.deepEqual(asked, [5000, undefined]);
    assert.deepEqual(told, ['port_of_another_user']);
  });

  it('takes another port when the old one stays with somebody else', async () => {
    let nowMs = 0;
    const broker = new WindowBroker({
      start: (port) => (port === undefined ? Promise.resolve(brokerOn(6000)) : Promise.reject(taken)),
      wait: (ms) => {
        nowMs += ms;
        return Promise.resolve();
      },
      clock: { nowMs: () => nowMs },
      onStranger: noStranger,
    });
    assert.equal((await broker.ensure(5000)).port, 6000);
    assert(nowMs >= 5_000);
  });

  it('can be started after a failure, and really listens', async () => {
    let isBroken = true;
    const broker = new WindowBroker({
      start: () => (isBroken ? Promise.reject(new Error('no sockets')) : startBroker(options)),
      wait: () => Promise.resolve(),
      clock,
      onStranger: noStranger,
    });
    await assert.rejects(broker.ensure());
    isBroken = false;
    const { port } = await broker.ensure();
    const answer = await fetch(`http://127.0.0.1:${port}/nothing`);
    assert.equal(answer.status >= 400, true);
    await broker.close();
  });
});
