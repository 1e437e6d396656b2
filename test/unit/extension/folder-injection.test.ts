import assert from 'node:assert/strict';

import { ANA, FolderWindow, inUse, ONE, TWO } from './folder-window.ts';
import { DEV, PROD } from './views.ts';

describe('OAM in a folder', () => {
  it('has nothing before it is asked', async () => {
    const window = new FolderWindow();
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

  it('puts nothing into a folder that is not trusted, and does once it is', async () => {
    const before = await inUse();
    const window = new FolderWindow(before.memory);
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
});
