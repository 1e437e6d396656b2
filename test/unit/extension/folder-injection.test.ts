import assert from 'node:assert/strict';

import type { PathEnd, PointerEnvironment, TokenSource } from '../../../src/broker/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import type { PrincipalKey } from '../../../src/domain/principal.ts';
import type { AlreadySet } from '../../../src/extension/injection/already-set.ts';
import {
  type Folder,
  FolderInjection,
  type Moved,
} from '../../../src/extension/injection/folder-injection.ts';
import { FolderMemory, type Memory } from '../../../src/extension/injection/folder-memory.ts';
import type { FolderEnvironment, PointerTarget } from '../../../src/extension/injection/pointer-target.ts';
import { DEV, PROD } from './views.ts';

describe('OAM in a folder', () => {
  const ANA: PrincipalKey = { iss: 'https://idp', sub: 'ana' };
  const LENA: PrincipalKey = { iss: 'https://idp', sub: 'lena' };
  const ONE: Folder = { uri: 'file:///one', name: 'one' };
  const TWO: Folder = { uri: 'file:///two', name: 'two' };

  function memento(values = new Map<string, unknown>(), isFull = (): boolean => false): Memory {
    return {
      get: (key) => values.get(key),
      update: (key, value) => {
        // As VS Code keeps it: as JSON, in the window at once and on the disk later, if it can.
        if (value === undefined) values.delete(key);
        else values.set(key, JSON.parse(JSON.stringify(value)));
        return isFull() ? Promise.reject(new Error('no space left on device')) : Promise.resolve();
      },
    };
  }

  class Window {
    folders: Folder[] = [ONE];
    isTrusted = true;
    workspaces = [PROD, DEV];
    found: AlreadySet[] = [];
    port = 4000;
    opened: { path: string; host: string; source: TokenSource; end: PathEnd | undefined }[] = [];
    beside = new Map<string, Record<string, string>>();
    terminals = new Map<string, FolderEnvironment>();
    kernels: FolderEnvironment | undefined;
    moved: Moved[] = [];
    isDiskFull = false;
    /** Set while the broker is being started. */
    brokerGate: Promise<void> | undefined;
    log: string[] = [];
    readonly memory: FolderMemory;
    readonly injection: FolderInjection;

    constructor(memory?: FolderMemory) {
      const isFull = (): boolean => this.isDiskFull;
      this.memory =
        memory ?? new FolderMemory(memento(new Map(), isFull), memento(new Map(), isFull), 'this-machine');
      this.injection = new FolderInjection({
        folders: () => this.folders,
        isTrusted: () => this.isTrusted,
        workspaces: () => this.workspaces,
        alreadySet: () => this.found,
        beside: ({ uri }) => this.beside.get(uri) ?? {},
        besideKernels: (host) => ({ OAM_ACCESS_FILE: `/boards/${host}` }),
        memory: this.memory,
        terminals: ({ uri }): PointerTarget => ({
          set: (pointer) => void this.terminals.set(uri, pointer),
          clear: () => {
            this.terminals.delete(uri);
            this.log.push(`clear ${uri}`);
          },
        }),
        kernels: { set: (pointer) => (this.kernels = pointer), clear: () => (this.kernels = undefined) },
        broker: async () => {
          await this.brokerGate;
          return {
            port: this.port,
            close: () => Promise.resolve(),
            open: ({ path, host, source }) => {
              const entry: Window['opened'][number] = {
                path: path ?? `path-of-at-least-22-characters-${this.opened.length}`,
                host,
                source,
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
          };
        },
        // A token that says whose it is.
        source: (_host, { sub }) => ({
          token: () => Promise.resolve({ accessToken: `token of ${sub}`, expiresAtMs: 0 }),
        }),
        onRefusal: () => undefined,
        logger: silentLogger,
      });
      this.injection.onDidMove((moved) => this.moved.push(moved));
    }

    kernel(name: keyof PointerEnvironment): string | undefined {
      return this.kernels?.[name];
    }

    /** Lets a program ask on the latest path, and returns whose token it gets. */
    async ask(): Promise<string | undefined> {
      return (await this.opened.at(-1)?.source.token())?.accessToken;
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
    assert.deepEqual(window.kernels, {
      ...window.terminals.get(ONE.uri),
      OAM_ACCESS_FILE: `/boards/${PROD.host}`,
    });
  });

  it('gives terminals what goes with their pointer, and kernels what goes with it in every folder', async () => {
    const window = await inUse();
    window.folders = [ONE, TWO];
    window.beside = new Map([
      [ONE.uri, { MLFLOW_TRACKING_URI: 'databricks', DATABRICKS_TOKEN: 'no-token' }],
      [TWO.uri, { MLFLOW_TRACKING_URI: 'databricks' }],
    ]);
    await window.injection.use(TWO, PROD);
    assert.equal(window.terminals.get(ONE.uri)?.['DATABRICKS_TOKEN'], 'no-token');
    assert.deepEqual(window.kernels, {
      ...window.injection.pointer(ONE),
      OAM_ACCESS_FILE: `/boards/${PROD.host}`,
      MLFLOW_TRACKING_URI: 'databricks',
    });
    // Nothing of it without a pointer.
    await window.injection.stop(ONE);
    assert.equal(window.terminals.get(ONE.uri), undefined);
    assert.equal(window.injection.environment(ONE), undefined);
    assert.equal(window.kernels, undefined);
  });

  it('keeps port and path over a reload, and has them in place before anything is waited for', async () => {
    const before = await inUse();
    const after = new Window(before.memory);
    after.injection.start();
    assert.equal(after.url(ONE), before.url(ONE));
    assert.equal(after.kernels?.DATABRICKS_METADATA_SERVICE_URL, before.url(ONE));
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(after.opened[0]?.path, before.opened[0]?.path);
    assert.equal(await after.ask(), 'token of ana');
    assert.equal(after.opened.length, 1);
    assert.deepEqual(after.moved, []);
  });

  it('keeps them over an update of the extension: what a version before kept is still taken, and more than is known does no harm', async () => {
    const kept = {
      ...{ host: PROD.host, port: 4000, path: 'a-path-that-was-kept-by-0-1-0', iss: ANA.iss, sub: ANA.sub },
      ofALaterVersion: { not: 'known here' },
    };
    const answer = { answer: 'use', workspace: PROD.name, host: PROD.host };
    const window = new Window(
      new FolderMemory(
        memento(new Map([[`folder:this-machine:${ONE.uri}`, answer]])),
        memento(new Map([[`place:${ONE.uri}`, kept]])),
        'this-machine',
      ),
    );
    window.injection.start();
    assert.equal(window.url(ONE), 'http://127.0.0.1:4000/a-path-that-was-kept-by-0-1-0');
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(window.opened[0]?.path, kept.path);
    assert.equal(await window.ask(), 'token of ana');
    assert.deepEqual(window.moved, []);
  });

  it('says so when the port is gone, and never uses the old path again', async () => {
    const before = await inUse();
    const after = new Window(before.memory);
    after.port = 5000;
    after.injection.start();
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.deepEqual(after.moved, [{ folder: ONE, kernels: true }]);
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

  it('ends paths and takes pointers away at sign-out before anything is waited for or stored', async () => {
    const window = await inUse();
    window.isDiskFull = true;
    // Something else is under way and does not finish.
    window.brokerGate = new Promise(() => undefined);
    window.folders = [ONE, TWO];
    void window.injection.use(TWO, PROD).catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    void window.injection.setPerson({ kind: 'nobody' });
    assert.equal(window.opened[0]?.end, 'signed_out');
    assert.equal(window.url(ONE), undefined);
    assert.equal(window.kernels, undefined);
  });

  it('ends every path at sign-out though nothing can be stored', async () => {
    const window = await inUse();
    window.folders = [ONE, TWO];
    await window.injection.use(TWO, DEV);
    window.isDiskFull = true;
    await window.injection.setPerson({ kind: 'nobody' });
    assert.deepEqual(
      window.opened.map(({ end }) => end),
      ['signed_out', 'signed_out'],
    );
    assert.equal(window.terminals.size, 0);
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(window.injection.state(ONE).kind, 'active');
  });

  it('opens nothing for somebody who signed out while the broker was being started', async () => {
    const window = new Window();
    const gate = Promise.withResolvers<undefined>();
    window.brokerGate = gate.promise;
    void window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    const used = window.injection.use(ONE, PROD);
    await new Promise((resolve) => setImmediate(resolve));
    const out = window.injection.setPerson({ kind: 'nobody' });
    gate.resolve(undefined);
    await Promise.all([used, out]);
    assert.equal(window.opened.length, 0);
    assert.equal(window.terminals.size, 0);
  });

  it('stays out of a folder that was said no to, though the no cannot be stored, and says so', async () => {
    const window = await inUse();
    window.isDiskFull = true;
    await assert.rejects(window.injection.stop(ONE), /no space left/);
    assert.equal(window.opened[0]?.end, 'closed');
    assert.equal(window.url(ONE), undefined);
    assert.equal(window.injection.state(ONE).kind, 'declined');
  });

  it('takes its variables away from a folder that leaves the window', async () => {
    const window = await inUse();
    window.folders = [ONE, TWO];
    await window.injection.use(TWO, DEV);
    window.log = [];
    window.folders = [TWO];
    await window.injection.reconcile();
    assert.deepEqual(window.log, [`clear ${ONE.uri}`]);
    assert.deepEqual([...window.terminals.keys()], [TWO.uri]);
    window.folders = [];
    window.injection.dispose();
    assert.equal(window.terminals.size, 0);
  });

  it('puts nothing anywhere once it has stopped, whatever was under way', async () => {
    const before = await inUse();
    const after = new Window(before.memory);
    const gate = Promise.withResolvers<undefined>();
    after.brokerGate = gate.promise;
    after.injection.start();
    const known = after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    await new Promise((resolve) => setImmediate(resolve));
    after.injection.dispose();
    gate.resolve(undefined);
    await known;
    assert.equal(after.terminals.size, 0);
    assert.equal(after.kernels, undefined);
    assert.equal(after.opened.length, 0);
  });

  it('tells of programs that are left with an ended path, once another one is there, and only if one asked', async () => {
    const window = await inUse();
    await window.injection.setPerson({ kind: 'nobody' });
    await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.deepEqual(window.moved, []);
    await window.ask();
    await window.injection.setPerson({ kind: 'nobody' });
    assert.deepEqual(window.moved, []);
    await window.injection.setPerson({ kind: 'signedIn', principal: LENA });
    assert.deepEqual(window.moved, [{ folder: ONE, kernels: true }]);
    window.folders = [ONE, TWO];
    await window.injection.use(TWO, DEV);
    await window.injection.use(ONE, DEV);
    // Kernels had no pointer while the folders did not agree.
    assert.deepEqual(window.moved, [{ folder: ONE, kernels: true }]);
    await window.injection.use(TWO, PROD);
    await window.ask();
    await window.injection.use(TWO, DEV);
    assert.deepEqual(window.moved.at(-1), { folder: TWO, kernels: false });
  });

  it('asks anew on another machine: a path of the same name is another folder there', async () => {
    const answers = new Map<string, unknown>();
    const here = new FolderMemory(memento(answers), memento(), 'laptop');
    const there = new FolderMemory(memento(answers), memento(), 'ssh-host');
    await here.setAnswer(ONE.uri, { answer: 'use', workspace: PROD.name, host: PROD.host });
    await here.setToldOfOwnSettings(ONE.uri);
    assert.equal(here.answer(ONE.uri)?.answer, 'use');
    assert.equal(there.answer(ONE.uri), undefined);
    assert.equal(there.isToldOfOwnSettings(ONE.uri), false);
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
    assert.equal(await window.ask(), 'token of lena');
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
      [`folder:m:${ONE.uri}`]: { answer: 'use', host: 5 },
      [`place:${ONE.uri}`]: { host: 'https://x', port: 99_999, path: '../..', iss: 'i', sub: 's' },
    };
    const stored: Memory = { get: (key) => values[key], update: () => Promise.resolve() };
    const memory = new FolderMemory(stored, stored, 'm');
    assert.equal(memory.answer(ONE.uri), undefined);
    assert.equal(memory.place(ONE.uri), undefined);
  });
});
