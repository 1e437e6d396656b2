import assert from 'node:assert/strict';

import { ANA, FolderWindow, inUse, LENA, ONE, TWO } from './folder-window.ts';
import { DEV, PROD } from './views.ts';

describe('OAM in a folder', () => {
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
    const window = new FolderWindow();
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
});
