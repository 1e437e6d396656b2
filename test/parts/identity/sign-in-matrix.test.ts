import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { hostTrust } from '../../../src/databricks/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  type SignInFlow,
  signInFlows,
  type Surroundings,
} from '../../../src/extension/authentication/sign-in-flow.ts';
import { UriCallbacks } from '../../../src/extension/authentication/uri-callbacks.ts';
import { Connection } from '../../../src/extension/connection/connection.ts';
import { PinBoard } from '../../../src/extension/connection/pinned-trust.ts';
import {
  type DiscoveredIdentityProvider,
  memoryAccountStores,
  processRefreshLock,
  type Secrets,
  type Session,
  signInWithAuthorizationCode,
  signInWithDeviceCode,
  signInWithLoopback,
} from '../../../src/identity/index.ts';
import type { Me } from '../../../src/protocol/person.ts';
import { axiosTransport } from '../../../src/protocol/transport.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { approveDevice, logIn } from '../../../src/sandbox/identity-provider/headless-sign-in.ts';
import {
  PEOPLE,
  type Played,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { endPrograms, oam } from '../cli/oam-process.ts';
import { pushPerson, pushTeam } from '../control-plane/directory/pushes.ts';
import { startWorld, type World } from '../control-plane/world.ts';

const ISSUERS = ['oidc', 'okta', 'entra', 'keycloak', 'databricks'] as const satisfies readonly Played[];

/** Where people sit, and which way they come. `oam` knows one way. */
const HOSTS: readonly { readonly name: string; readonly where: Surroundings | 'oam' }[] = [
  { name: 'desktop', where: { ui: 'desktop', remoteName: undefined } },
  { name: 'desktop window on SSH', where: { ui: 'desktop', remoteName: 'ssh-remote' } },
  { name: 'browser', where: { ui: 'web', remoteName: undefined } },
  { name: 'oam', where: 'oam' },
];

const ROWS = HOSTS.flatMap(({ name, where }) =>
  (where === 'oam' ? (['deviceCode'] as const) : signInFlows(where, 'auto')).map((flow) => ({
    name,
    where,
    flow,
  })),
);

const clock = { nowMs: () => Date.now() };

/** Every way to sign in, from where it is offered, at every kind of provider, up to a real control plane. */
describe('the matrix of sign-ins', function () {
  this.timeout(120_000);
  afterEach(endPrograms);
  const ran = new Set<string>();

  for (const issuer of ISSUERS) {
    describe(`at a provider whose tokens are those of ${issuer}`, () => {
      let stack: AsyncDisposableStack;
      let idp: RunningIdentityProvider;
      let world: World;
      before(async () => {
        stack = new AsyncDisposableStack();
        idp = await startIdentityProvider({ plays: issuer, devicePollSeconds: 0.05 });
        stack.defer(() => idp.close());
        world = await startWorld({
          directory: issuer === 'databricks' ? 'userName' : true,
          identity: {
            ...{ issuer: idp.issuer, profile: issuer },
            ...(issuer === 'databricks' && { scopes: ['openid', 'profile', 'email', 'offline_access'] }),
          },
        });
        stack.defer(() => world.close());
        if (issuer === 'databricks') await pushAna(world);
      });
      after(() => stack.disposeAsync());

      for (const { name, where, flow } of ROWS) {
        it(`${flow} from ${name} opens the control plane, also with refreshed tokens`, async () => {
          if (where === 'oam') {
            const run = await oam(['roles', '--json', '--no-keychain'], {
              env: { OAM_URL: world.url },
              person: PEOPLE.ana,
            });
            assert.equal(run.code, 0, run.stderr);
            assert(Array.isArray(JSON.parse(run.stdout)));
          } else {
            const [first, refreshed] = await signInFrom(world.url, flow);
            for (const me of [first, refreshed]) {
              assert.equal(me.iss, idp.issuer);
              assert.equal(me.sub, issuer === 'databricks' ? PEOPLE.ana.userName : PEOPLE.ana.sub);
              assert.deepEqual(me.groups, PEOPLE.ana.groups);
              // Databricks' tokens say nothing of a duty.
              assert.equal(me.duty, issuer === 'databricks' ? null : PEOPLE.ana.duty);
            }
          }
          ran.add(`${name}|${flow}|${issuer}`);
        });
      }
    });
  }

  // Last: mocha runs the tests of a suite before its inner suites.
  describe('as it ran', () => {
    it('is the one that the documentation shows', async () => {
      const cell = (row: (typeof ROWS)[number], issuer: Played): string =>
        ran.has(`${row.name}|${row.flow}|${issuer}`) ? 'ran' : 'did not run';
      const table = [
        ['from', 'way', ...ISSUERS],
        ...ROWS.map((row) => [row.name, `\`${row.flow}\``, ...ISSUERS.map((issuer) => cell(row, issuer))]),
      ];
      for (const line of table) console.log(`      ${line.map((text) => text.padEnd(22)).join('')}`);
      const documented = (await readFile('docs/sign-in.md', 'utf8')).split('\n').map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((text) => text.trim()),
      );
      for (const line of table) {
        assert(
          documented.some((shown) => JSON.stringify(shown) === JSON.stringify(line)),
          line.join(' | '),
        );
      }
    });
  });
});

/** What the control plane says of Ana after a sign-in, and after a refresh. */
async function signInFrom(url: string, flow: SignInFlow): Promise<readonly [Me, Me]> {
  const pins = new Map<string, unknown>();
  let aheadMs = 0;
  const connection = new Connection({
    address: () => url,
    pins: new PinBoard({
      get: (key) => pins.get(key),
      update: (key, value) => Promise.resolve(void pins.set(key, value)),
    }),
    stores: memoryAccountStores,
    lock: processRefreshLock,
    transport: axiosTransport(),
    confirmChange: () => assert.fail('nobody is to be asked'),
    trust: () => hostTrust([]),
    clock: { nowMs: () => Date.now() + aheadMs },
    logger: silentLogger,
    redactor: createRedactor(),
  });
  await connection.start();
  const session = await connection.signIn(byFlow[flow], new AbortController().signal);
  assert(connection.state.kind === 'signedIn');
  const { client } = connection.state;
  const first = await client.call('getMe');
  aheadMs = session.accessTokenExpiresAtMs - Date.now() - 30_000;
  const refreshed = await client.call('getMe');
  assert.notEqual(connection.state.session.accessToken, session.accessToken);
  await connection.signOut();
  connection.dispose();
  return [first, refreshed];
}

const byFlow: Record<SignInFlow, (provider: DiscoveredIdentityProvider) => Promise<Session>> = {
  loopback(provider) {
    const browser = createHeadlessBrowser();
    return signInWithLoopback(provider, {
      async openBrowser(url) {
        await logIn(browser, await browser.open(url), PEOPLE.ana);
      },
    });
  },
  uriHandler(provider) {
    // The address comes to the window that was used last, which is another one, and that passes it on.
    const secrets = sharedSecrets();
    const [asking, other] = [0, 1].map(
      () =>
        new UriCallbacks({
          redirectUri: () => 'vscode://databricks-ml-oam.databricks-ml-oam/callback',
          ...{ secrets: secrets.place, clock, logger: silentLogger },
        }),
    );
    assert(asking !== undefined && other !== undefined);
    secrets.onDidChange((key) => void asking.secretChanged(key));
    const browser = createHeadlessBrowser();
    return signInWithAuthorizationCode(provider, {
      listen: (state) => asking.listen(state),
      async openBrowser(url) {
        const end = await logIn(browser, await browser.open(url), PEOPLE.ana);
        assert.equal(await other.handle(new URL(end.url)), 'passedOn');
      },
    });
  },
  async deviceCode(provider) {
    let approval = Promise.resolve();
    const session = await signInWithDeviceCode(provider, {
      clock,
      onPrompt({ verificationUri, userCode }) {
        approval = approveDevice({ verificationUri, userCode, person: PEOPLE.ana });
      },
    });
    await approval;
    return session;
  },
};

function sharedSecrets(): { readonly place: Secrets; onDidChange(listener: (key: string) => void): void } {
  const values = new Map<string, string>();
  const listeners: ((key: string) => void)[] = [];
  const changed = (key: string): void => {
    for (const listener of listeners) listener(key);
  };
  return {
    place: {
      get: (key) => Promise.resolve(values.get(key)),
      store(key, value) {
        values.set(key, value);
        changed(key);
        return Promise.resolve();
      },
      delete(key) {
        values.delete(key);
        changed(key);
        return Promise.resolve();
      },
    },
    onDidChange: (listener) => void listeners.push(listener),
  };
}

/** Databricks' tokens know no groups: the directory says them. */
async function pushAna(world: World): Promise<void> {
  const { userName, groups } = PEOPLE.ana;
  const id = await pushPerson(world, 'ana', { externalId: userName });
  for (const team of groups) await pushTeam(world, team, id);
}
