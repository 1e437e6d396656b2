import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import {
  type Broker,
  type PathEnd,
  type PointerEnvironment,
  startBroker,
} from '../../../src/broker/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import type { PrincipalKey } from '../../../src/domain/principal.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { type AlreadySet, findAlreadySet } from '../../../src/extension/injection/already-set.ts';
import { type Folder, FolderInjection } from '../../../src/extension/injection/folder-injection.ts';
import { FolderMemory, type Memory } from '../../../src/extension/injection/folder-memory.ts';
import {
  processTarget,
  type PointerTarget,
  terminalTarget,
} from '../../../src/extension/injection/pointer-target.ts';
import { refusalFilter } from '../../../src/extension/injection/refusal-notices.ts';
import { roleShell } from '../../../src/extension/injection/role-shell.ts';
import { WindowBroker } from '../../../src/extension/injection/window-broker.ts';
import { DEV, PROD } from './views.ts';

const run = promisify(execFile);

const POINTER: PointerEnvironment = {
  DATABRICKS_HOST: 'https://prod.cloud.databricks.com',
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:4000/abc',
};

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

describe('refusals', () => {
  it('are told once in a while for each reason', () => {
    let nowMs = 0;
    const told: string[] = [];
    const tell = refusalFilter({ nowMs: () => nowMs }, ({ code }) => told.push(code));
    tell({ code: 'session_expired', sentence: '' });
    tell({ code: 'session_expired', sentence: '' });
    tell({ code: 'untrusted_host', sentence: '' });
    nowMs = 300_000;
    tell({ code: 'session_expired', sentence: '' });
    assert.deepEqual(told, ['session_expired', 'untrusted_host', 'session_expired']);
  });
});

describe("the window's broker", () => {
  const clock = { nowMs: () => Date.now() };
  const options = { clock, logger: silentLogger, redactor: createRedactor() };
  const taken = new OamError('port_taken', 'Taken.');

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
    });
    const [first, second] = await Promise.all([broker.ensure(5000), broker.ensure()]);
    assert.equal(first, second);
    assert.equal(first.port, 5000);
    assert.deepEqual(asked, [5000, 5000, 5000]);
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
    });
    await assert.rejects(broker.ensure());
    isBroken = false;
    const { port } = await broker.ensure();
    const answer = await fetch(`http://127.0.0.1:${port}/nothing`);
    assert.equal(answer.status >= 400, true);
    await broker.close();
  });
});

describe('OAM in a folder', () => {
  const ANA: PrincipalKey = { iss: 'https://idp', sub: 'ana' };
  const LENA: PrincipalKey = { iss: 'https://idp', sub: 'lena' };
  const ONE: Folder = { uri: 'file:///one', name: 'one' };
  const TWO: Folder = { uri: 'file:///two', name: 'two' };

  function memento(): Memory {
    const values = new Map<string, unknown>();
    return {
      get: (key) => values.get(key),
      update: (key, value) => {
        // As VS Code keeps it: as JSON.
        if (value === undefined) values.delete(key);
        else values.set(key, JSON.parse(JSON.stringify(value)));
        return Promise.resolve();
      },
    };
  }

  class Window {
    folders: Folder[] = [ONE];
    isTrusted = true;
    workspaces = [PROD, DEV];
    found: AlreadySet[] = [];
    port = 4000;
    opened: { path: string; host: string; principal: PrincipalKey; end: PathEnd | undefined }[] = [];
    terminals = new Map<string, PointerEnvironment>();
    kernels: PointerEnvironment | undefined;
    moved: string[] = [];
    readonly memory: FolderMemory;
    readonly injection: FolderInjection;

    constructor(memory = new FolderMemory(memento(), memento())) {
      this.memory = memory;
      const principals = new Map<unknown, PrincipalKey>();
      this.injection = new FolderInjection({
        folders: () => this.folders,
        isTrusted: () => this.isTrusted,
        workspaces: () => this.workspaces,
        alreadySet: () => this.found,
        memory,
        terminals: ({ uri }): PointerTarget => ({
          set: (pointer) => void this.terminals.set(uri, pointer),
          clear: () => void this.terminals.delete(uri),
        }),
        kernels: { set: (pointer) => (this.kernels = pointer), clear: () => (this.kernels = undefined) },
        broker: () =>
          Promise.resolve({
            port: this.port,
            close: () => Promise.resolve(),
            open: ({ path, host, source }) => {
              const entry: Window['opened'][number] = {
                path: path ?? `path-of-at-least-22-characters-${this.opened.length}`,
                host,
                principal: principals.get(source) ?? ANA,
                end: undefined,
              };
              this.opened.push(entry);
              const end = (reason: PathEnd): void => void (entry.end ??= reason);
              return {
                path: entry.path,
                url: `http://127.0.0.1:${this.port}/${entry.path}`,
                end,
                [Symbol.dispose]: () => end('closed'),
              };
            },
          }),
        source: (_host, principal) => {
          const source = { token: () => Promise.reject(new Error('not asked here')) };
          principals.set(source, principal);
          return source;
        },
        onRefusal: () => undefined,
        logger: silentLogger,
      });
      this.injection.onDidMove(({ name }) => this.moved.push(name));
    }

    kernel(name: keyof PointerEnvironment): string | undefined {
      return this.kernels?.[name];
    }

    url(folder: Folder): string | undefined {
      return this.terminals.get(folder.uri)?.DATABRICKS_METADATA_SERVICE_URL;
    }
  }

  async function inUse(): Promise<Window> {
    const window = new Window();
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    await window.injection.use(ONE, PROD);
    return window;
  }

  it('has nothing before it is asked', async () => {
    const window = new Window();
    window.injection.start();
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(window.injection.state(ONE).kind, 'unasked');
    assert.equal(window.terminals.size, 0);
    assert.equal(window.kernels, undefined);
    assert.equal(window.opened.length, 0);
  });

  it('points terminals and kernels to the one workspace that was picked', async () => {
    const window = await inUse();
    assert.equal(window.injection.state(ONE).kind, 'active');
    assert.equal(window.terminals.get(ONE.uri)?.DATABRICKS_HOST, PROD.host);
    assert.deepEqual(window.kernels, window.terminals.get(ONE.uri));
  });

  it('keeps port and path over a reload, and has them in place before anything is waited for', async () => {
    const before = await inUse();
    const after = new Window(before.memory);
    after.injection.start();
    assert.equal(after.url(ONE), before.url(ONE));
    assert.equal(after.kernels?.DATABRICKS_METADATA_SERVICE_URL, before.url(ONE));
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(after.opened[0]?.path, before.opened[0]?.path);
    assert.deepEqual(after.opened[0]?.principal, ANA);
    assert.equal(after.opened.length, 1);
    assert.deepEqual(after.moved, []);
  });

  it('says so when the port is gone, and never uses the old path again', async () => {
    const before = await inUse();
    const after = new Window(before.memory);
    after.port = 5000;
    after.injection.start();
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.deepEqual(after.moved, ['one']);
    assert.notEqual(after.url(ONE), before.url(ONE));
    assert.match(after.url(ONE) ?? '', /:5000\//);
  });

  it('burns the path at sign-out, and makes another at the next sign-in', async () => {
    const window = await inUse();
    const old = window.url(ONE);
    await window.injection.setPerson({ kind: 'nobody' });
    assert.equal(window.opened[0]?.end, 'signed_out');
    assert.equal(window.url(ONE), undefined);
    assert.equal(window.kernels, undefined);
    assert.equal(window.memory.place(ONE.uri), undefined);
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.notEqual(window.url(ONE), undefined);
    assert.notEqual(window.url(ONE), old);
  });

  it('keeps the path while a session has run out, for the same person to come back to', async () => {
    const window = await inUse();
    const old = window.url(ONE);
    await window.injection.setPerson({ kind: 'expired' });
    assert.equal(window.url(ONE), old);
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(window.url(ONE), old);
    assert.equal(window.opened.length, 1);
  });

  it('never lets a path change its principal', async () => {
    const window = await inUse();
    await window.injection.setPerson({ kind: 'signedIn', principal: LENA });
    assert.equal(window.opened[0]?.end, 'principal_changed');
    assert.deepEqual(window.opened[1]?.principal, LENA);
    assert.notEqual(window.opened[1]?.path, window.opened[0]?.path);
  });

  it('ends with a no that is kept, and is not asked again', async () => {
    const window = await inUse();
    await window.injection.stop(ONE);
    assert.equal(window.opened[0]?.end, 'closed');
    assert.equal(window.url(ONE), undefined);
    const after = new Window(window.memory);
    after.injection.start();
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(after.injection.state(ONE).kind, 'declined');
    assert.equal(after.opened.length, 0);
  });

  it('puts nothing into a folder that is not trusted, and does once it is', async () => {
    const before = await inUse();
    const window = new Window(before.memory);
    window.isTrusted = false;
    window.injection.start();
    assert.equal(window.url(ONE), undefined);
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.deepEqual(window.injection.state(ONE), { kind: 'waiting', workspace: PROD, for: 'trust' });
    assert.equal(window.kernels, undefined);
    window.isTrusted = true;
    await window.injection.reconcile();
    assert.equal(window.injection.state(ONE).kind, 'active');
  });

  it('leaves alone what the person set', async () => {
    const window = await inUse();
    window.found = [{ name: 'DATABRICKS_TOKEN', where: 'dotenv' }];
    await window.injection.reconcile();
    assert.equal(window.url(ONE), undefined);
    assert.equal(window.injection.state(ONE).kind, 'alreadySet');
  });

  it('ends when the workspace is not among the agreed ones any more', async () => {
    const window = await inUse();
    window.workspaces = [DEV];
    await window.injection.reconcile();
    assert.equal(window.opened[0]?.end, 'closed');
    assert.deepEqual(window.injection.state(ONE), { kind: 'waiting', workspace: PROD, for: 'workspace' });
  });

  it('changes the workspace with another path', async () => {
    const window = await inUse();
    await window.injection.use(ONE, DEV);
    assert.equal(window.opened[0]?.end, 'closed');
    assert.equal(window.terminals.get(ONE.uri)?.DATABRICKS_HOST, DEV.host);
    assert.notEqual(window.opened[1]?.path, window.opened[0]?.path);
  });

  it('gives kernels a pointer only where all folders agree on the workspace', async () => {
    const window = await inUse();
    window.folders = [ONE, TWO];
    await window.injection.reconcile();
    assert.equal(window.kernels, undefined);
    assert.notEqual(window.url(ONE), undefined);
    await window.injection.use(TWO, DEV);
    assert.equal(window.kernels, undefined);
    assert.equal(window.terminals.get(TWO.uri)?.DATABRICKS_HOST, DEV.host);
    await window.injection.use(TWO, PROD);
    assert.equal(window.kernel('DATABRICKS_HOST'), PROD.host);
    assert.notEqual(window.url(ONE), window.url(TWO));
    window.folders = [TWO];
    await window.injection.reconcile();
    assert.equal(window.opened[0]?.end, 'closed');
    assert.equal(window.kernel('DATABRICKS_METADATA_SERVICE_URL'), window.url(TWO));
  });

  it('takes its pointers away when the extension stops', async () => {
    const window = await inUse();
    window.injection.dispose();
    assert.equal(window.terminals.size, 0);
    assert.equal(window.kernels, undefined);
    // A reload finds the place again.
    assert.notEqual(window.memory.place(ONE.uri), undefined);
  });

  it('does not believe what is stored', () => {
    const values: Record<string, unknown> = {
      [`folder:${ONE.uri}`]: { answer: 'use', host: 5 },
      [`place:${ONE.uri}`]: { host: 'https://x', port: 99_999, path: '../..', iss: 'i', sub: 's' },
    };
    const stored: Memory = { get: (key) => values[key], update: () => Promise.resolve() };
    const memory = new FolderMemory(stored, stored);
    assert.equal(memory.answer(ONE.uri), undefined);
    assert.equal(memory.place(ONE.uri), undefined);
  });
});
