import assert from 'node:assert/strict';

import { FolderMemory, type Memory } from '../../../src/extension/injection/folder-memory.ts';
import { ANA, FolderWindow, inUse, memento, ONE } from './folder-window.ts';
import { PROD } from './views.ts';

describe('OAM in a folder', () => {
  it('keeps port and path over a reload, and has them in place before anything is waited for', async () => {
    const before = await inUse();
    const after = new FolderWindow(before.memory);
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
    const window = new FolderWindow(
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
    const after = new FolderWindow(before.memory);
    after.port = 5000;
    after.injection.start();
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.deepEqual(after.moved, [{ folder: ONE, kernels: true }]);
    assert.notEqual(after.url(ONE), before.url(ONE));
    assert.match(after.url(ONE) ?? '', /:5000\//);
  });

  it('stays out of a folder that was said no to, though the no cannot be stored, and says so', async () => {
    const window = await inUse();
    window.isDiskFull = true;
    await assert.rejects(window.injection.stop(ONE), /no space left/);
    assert.equal(window.opened[0]?.end, 'closed');
    assert.equal(window.url(ONE), undefined);
    assert.equal(window.injection.state(ONE).kind, 'declined');
  });

  it('puts nothing anywhere once it has stopped, whatever was under way', async () => {
    const before = await inUse();
    const after = new FolderWindow(before.memory);
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

  it('ends with a no that is kept, and is not asked again', async () => {
    const window = await inUse();
    await window.injection.stop(ONE);
    assert.equal(window.opened[0]?.end, 'closed');
    assert.equal(window.url(ONE), undefined);
    const after = new FolderWindow(window.memory);
    after.injection.start();
    await after.injection.setPerson({ kind: 'signedIn', principal: ANA });
    assert.equal(after.injection.state(ONE).kind, 'declined');
    assert.equal(after.opened.length, 0);
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
