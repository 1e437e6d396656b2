import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect } from '../../../src/cli/connection/connect.ts';
import { checkPin } from '../../../src/cli/connection/pins.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { HOUR_MS } from '../../../src/domain/time.ts';
import {
  type AccountStores,
  type KeychainSessions,
  lastUseHere,
  memoryAccountStores,
  type Session,
} from '../../../src/identity/index.ts';
import type { Configuration } from '../../../src/protocol/configuration.ts';
import { storeOf } from '../extension/account-stores.ts';
import { fakeControlPlane, fakeInvocation, NOW, ok } from './fake-control-plane.ts';

const SAID: Configuration = {
  product: 'databricks-ml-oam',
  version: '1',
  identity: {
    issuer: 'https://idp.example',
    clientId: 'oam-editor',
    audience: 'urn:oam',
    scopes: ['openid'],
  },
  workspaces: [{ name: 'ml-prod', host: 'https://prod.cloud.databricks.com' }],
};

describe('oam: what a control plane said first', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oam-pins-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const check = (
    configuration: Configuration,
    acceptChange = false,
    controlPlaneUrl = 'https://oam.example',
  ) => checkPin({ folder, controlPlaneUrl, configuration, acceptChange });

  it('may be said again, with another version, other scopes, and in another order', async () => {
    const dev = { name: 'ml-dev', host: 'https://dev.cloud.databricks.com' };
    await check({ ...SAID, workspaces: [...SAID.workspaces, dev] });
    await check({
      ...SAID,
      version: '2',
      identity: { ...SAID.identity, scopes: [] },
      workspaces: [dev, ...SAID.workspaces],
    });
  });

  for (const [what, changed] of Object.entries<Configuration>({
    'issuer: https://idp.example → https://evil.example': {
      ...SAID,
      identity: { ...SAID.identity, issuer: 'https://evil.example' },
    },
    'client: oam-editor → other': { ...SAID, identity: { ...SAID.identity, clientId: 'other' } },
    'audience: urn:oam → other': { ...SAID, identity: { ...SAID.identity, audience: 'other' } },
    'workspace ml-prod: https://prod.cloud.databricks.com → https://x.cloud.databricks.com': {
      ...SAID,
      workspaces: [{ name: 'ml-prod', host: 'https://x.cloud.databricks.com' }],
    },
    'workspace ml-new: (none) → https://x.cloud.databricks.com': {
      ...SAID,
      workspaces: [...SAID.workspaces, { name: 'ml-new', host: 'https://x.cloud.databricks.com' }],
    },
    'workspace ml-prod: https://prod.cloud.databricks.com → (none)': { ...SAID, workspaces: [] },
    'sign-in to Databricks in ml-prod: (none) → databricks-cli': {
      ...SAID,
      workspaces: SAID.workspaces.map((each) => ({ ...each, tokenSource: 'databricks-sign-in' })),
    },
    'how you are found in Databricks: externalId → userName': {
      ...SAID,
      identity: { ...SAID.identity, databricksAttribute: 'userName' },
    },
  })) {
    it(`is held against it, with old and new, until the person agrees: ${what}`, async () => {
      await check(SAID);
      for (let i = 0; i < 2; i += 1) {
        await assert.rejects(check(changed), (error) => {
          assert.ok(hasCode(error, 'configuration_changed'));
          assert.equal(error.detail, what);
          return true;
        });
      }
      await check(SAID);
      await check(changed, true);
      await check(changed);
      await assert.rejects(check(SAID), (error) => hasCode(error, 'configuration_changed'));
    });
  }

  it('is one host for each name: a second one of the same name would hide behind the first', async () => {
    await check(SAID);
    const hidden = { name: 'ml-prod', host: 'https://x.cloud.databricks.com' };
    for (const acceptChange of [false, true]) {
      await assert.rejects(
        check({ ...SAID, workspaces: [hidden, ...SAID.workspaces] }, acceptChange),
        (error) => hasCode(error, 'workspaces_ambiguous') && error.detail === 'ml-prod',
      );
    }
    await check(SAID);
  });

  it('is one thing for each control plane', async () => {
    await check(SAID);
    await check({ ...SAID, workspaces: [] }, false, 'https://other.example');
    await check(SAID);
  });

  it('lies in a file of the user alone, whole or not at all', async () => {
    await check(SAID);
    assert.deepEqual(await readdir(folder), ['control-planes.json']);
    assert.equal((await stat(join(folder, 'control-planes.json'))).mode & 0o777, 0o600);
  });

  it('keeps nobody from working where nothing can be written: each use is the first one', async () => {
    const nowhere = join(folder, 'x'.repeat(300));
    const place = {
      folder: nowhere,
      controlPlaneUrl: 'https://oam',
      configuration: SAID,
      acceptChange: false,
    };
    for (let use = 0; use < 2; use += 1) assert.equal(await checkPin(place), undefined);
  });

  it('is not forgotten because somebody damaged the file', async () => {
    await check(SAID);
    const file = join(folder, 'control-planes.json');
    for (const text of ['', '{', '[]', '{"https://oam.example":{}}']) {
      await writeFile(file, text);
      await assert.rejects(check(SAID), (error) => hasCode(error, 'pins_unreadable'));
      assert.equal(await readFile(file, 'utf8'), text);
    }
  });

  it('is looked at before anybody is asked to sign in', async () => {
    const env = {
      OAM_URL: 'https://oam.example',
      XDG_STATE_HOME: folder,
      HOME: folder,
      LOCALAPPDATA: folder,
    };
    const signInWith = async (configuration: Configuration) => {
      const { transport } = fakeControlPlane({ 'GET /configuration': [ok(configuration)] });
      const { invocation, notes } = fakeInvocation({ transport, env });
      const connection = await connect(invocation, { keychain: false });
      return { connection, notes };
    };
    await (await signInWith(SAID)).connection.configuration();
    const { connection, notes } = await signInWith({
      ...SAID,
      identity: { ...SAID.identity, issuer: 'http://127.0.0.1:1' },
    });
    await assert.rejects(connection.signedIn(), (error) => hasCode(error, 'configuration_changed'));
    assert.deepEqual(notes, []);
  });

  it('ends with the sessions that were begun for it, once the person agrees to somebody else', async () => {
    const said = { ...SAID, identity: { ...SAID.identity, issuer: 'http://127.0.0.1:9' } };
    const ana: Session = {
      ...{ issuer: said.identity.issuer, subject: 'ana', userName: 'ana@example.com', displayName: 'Ana' },
      ...{ accessToken: 'access-token-1', accessTokenExpiresAtMs: NOW + HOUR_MS },
      ...{ idToken: 'id-token-1', idTokenExpiresAtMs: NOW + HOUR_MS },
    };
    const kept = new Map<string, AccountStores>();
    const keychain: KeychainSessions = {
      stores(url, { issuer, clientId, audience }) {
        const key = JSON.stringify([url, issuer, clientId, audience]);
        const stores = kept.get(key) ?? memoryAccountStores();
        kept.set(key, stores);
        return stores;
      },
      lastUse: lastUseHere(),
    };
    const env = {
      OAM_URL: 'https://oam.example',
      XDG_STATE_HOME: folder,
      HOME: folder,
      LOCALAPPDATA: folder,
    };
    const command = (said: Configuration, acceptChange: boolean) => {
      const { transport } = fakeControlPlane({ 'GET /configuration': [ok(said)] });
      const { invocation } = fakeInvocation({ transport, env });
      return connect(invocation, { keychain: true, ...(acceptChange && { acceptChange }) }, () =>
        Promise.resolve(keychain),
      );
    };
    const first = await command(said, false);
    await first.configuration();
    await first.session.accept(ana);
    assert.equal((await first.signedIn()).subject, 'ana');

    const moved = { ...SAID, identity: { ...SAID.identity, issuer: 'http://127.0.0.1:1' } };
    await assert.rejects((await command(moved, false)).signedIn(), (error) =>
      hasCode(error, 'configuration_changed'),
    );
    const before = keychain.stores('https://oam.example', said.identity);
    assert.notEqual(await storeOf(before, ana).read(), undefined);
    // A sign-in at the new one is begun, which is not there.
    await assert.rejects((await command(moved, true)).signedIn(), (error) =>
      hasCode(error, 'identity_provider_unavailable'),
    );
    assert.deepEqual([await before.list.read(), await storeOf(before, ana).read()], [undefined, undefined]);
  });
});
