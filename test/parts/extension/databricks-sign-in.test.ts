import assert from 'node:assert/strict';

import { personTokenSource, startBroker } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { Connection } from '../../../src/extension/connection/connection.ts';
import { OwnSignIns } from '../../../src/extension/connection/own-sign-ins.ts';
import { PinBoard, type TrustChange } from '../../../src/extension/connection/pinned-trust.ts';
import {
  type AccountStores,
  databricksCallbackPlace,
  memoryAccountStores,
  principalOf,
  processRefreshLock,
  startCallbackServer,
} from '../../../src/identity/index.ts';
import type { WorkspaceConfiguration } from '../../../src/protocol/configuration.ts';
import { axiosTransport, type HttpTransport } from '../../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  signInAtDatabricks,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import {
  PEOPLE,
  type Person,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { movableClock } from '../identity/movable-clock.ts';
import { configurationOf, signIn } from '../identity/sign-in.ts';
import { userOf } from '../sandbox/token-user.ts';

const OAM = 'https://oam.example.com';
const coded = (code: string) => (error: unknown) => hasCode(error, code);

describe('the editor, in a workspace that wants a sign-in of its own', function () {
  this.timeout(30_000);
  let idp: RunningIdentityProvider;
  let databricks: RunningSandboxDatabricks;
  let host: string;
  let offered: WorkspaceConfiguration[];
  let stores: AccountStores;
  let asked: TrustChange[];
  let agrees: boolean;
  let connection: Connection;
  let ownSignIns: OwnSignIns;
  const clock = movableClock();

  before(async () => {
    idp = await startIdentityProvider();
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: idp.issuer, audience: 'nobody' },
      people: Object.values(PEOPLE),
      clock,
    });
    ({ host } = databricks.workspaces.prod);
  });
  after(async () => {
    await databricks.close();
    await idp.close();
  });

  beforeEach(() => {
    clock.aheadMs = 0;
    offered = [{ name: 'ml-prod', host, tokenSource: 'databricks-sign-in' }];
    stores = memoryAccountStores();
    asked = [];
    agrees = false;
    const pins = new Map<string, unknown>();
    const transport: HttpTransport = async (request) => {
      if (!request.url.startsWith(OAM)) return axiosTransport()(request);
      const identity = { ...configurationOf(idp), databricksAttribute: 'externalId' };
      const text = JSON.stringify({
        product: 'databricks-ml-oam',
        version: '1',
        identity,
        workspaces: offered,
      });
      return { status: 200, headers: {}, text };
    };
    const trust = () => hostTrust([host]);
    connection = new Connection({
      ...{ address: () => OAM, stores: () => stores, lock: () => processRefreshLock() },
      ...{ transport, trust, clock, logger: silentLogger, redactor: createRedactor() },
      pins: new PinBoard({
        get: (key) => pins.get(key),
        update: (key, value) => Promise.resolve(void pins.set(key, value)),
      }),
      confirmChange(changes) {
        asked.push(...changes);
        return Promise.resolve(agrees);
      },
    });
    ownSignIns = new OwnSignIns({ connection, trust, transport, clock });
  });
  afterEach(() => connection.dispose());

  const never = new AbortController().signal;
  const signInAs = (person: Person) => connection.signIn((provider) => signIn(provider, person), never);
  const toDatabricks = (person: Person, meanwhile?: () => Promise<unknown>) =>
    ownSignIns.signIn(host, (clientId) => ({
      listen: (state) => startCallbackServer(state, databricksCallbackPlace(clientId)),
      async openBrowser(url) {
        await meanwhile?.();
        void signInAtDatabricks(url, person);
      },
    }));
  const sourceFor = (person: { readonly iss: string; readonly sub: string }) =>
    personTokenSource({
      ...{ host, principal: person, trust: hostTrust([host]), transport: axiosTransport(), clock },
      session: { subjectToken: (signal) => connection.subjectToken(signal) },
      ownSignIn: () => ownSignIns.at(host),
      redactor: createRedactor(),
    });
  const keyOf = ({ sub }: Person) => ({ iss: idp.issuer, sub });

  it('gives programs the token of that sign-in, through the broker, and renews it', async () => {
    const session = await signInAs(PEOPLE.ana);
    const broker = await startBroker({ clock, logger: silentLogger, redactor: createRedactor() });
    try {
      const path = broker.open({ host, source: sourceFor(principalOf(session)) });
      const ask = async (): Promise<{ error?: string; access_token?: string }> =>
        (await (
          await fetch(path.url, {
            headers: { 'x-databricks-metadata-version': '1', 'x-databricks-host': host },
          })
        ).json()) as { error?: string; access_token?: string };
      assert.equal((await ask()).error, 'databricks_own_sign_in_needed');
      await toDatabricks(PEOPLE.ana);
      // The broker tries anew a moment after a failure.
      clock.aheadMs += 6_000;
      const first = await ask();
      assert.equal(await userOf(host, first.access_token ?? ''), PEOPLE.ana.userName);
      clock.aheadMs += 59 * MINUTE_MS;
      const second = (await sourceFor(principalOf(session)).token()).accessToken;
      assert.notEqual(second, first.access_token);
      assert.equal(await userOf(host, second), PEOPLE.ana.userName);
    } finally {
      await broker.close();
    }
  });

  it('keeps it for whoever signed in: the next person signs in for themselves, and a sign-out takes it', async () => {
    await signInAs(PEOPLE.ana);
    await toDatabricks(PEOPLE.ana);
    const anas = sourceFor(keyOf(PEOPLE.ana));
    await anas.token();
    await connection.signIn((provider) => signIn(provider, PEOPLE.lena), never, 'acts');
    await assert.rejects(anas.token(), coded('principal_changed'));
    await assert.rejects(sourceFor(keyOf(PEOPLE.lena)).token(), coded('databricks_own_sign_in_needed'));
    const ana = connection.accounts.find(({ sub }) => sub === PEOPLE.ana.sub);
    await connection.switchTo(ana?.key ?? '');
    assert.equal(await userOf(host, (await anas.token()).accessToken), PEOPLE.ana.userName);
    await connection.signOut();
    await assert.rejects(anas.token(), coded('not_signed_in'));
    assert.equal(await stores.databricks(ana?.key ?? '').read(), undefined);
    await signInAs(PEOPLE.ana);
    await assert.rejects(anas.token(), coded('databricks_own_sign_in_needed'));
  });

  it('throws away the sign-in of somebody else, and one that comes when somebody else acts', async () => {
    await signInAs(PEOPLE.ana);
    await assert.rejects(toDatabricks(PEOPLE.omar), coded('databricks_other_person'));
    await assert.rejects(
      toDatabricks(PEOPLE.ana, () =>
        connection.signIn((provider) => signIn(provider, PEOPLE.lena), never, 'acts'),
      ),
      CancelledError,
    );
    await assert.rejects(sourceFor(keyOf(PEOPLE.lena)).token(), coded('databricks_own_sign_in_needed'));
  });

  it('asks before it follows a change of where tokens come from', async () => {
    offered = [{ name: 'ml-prod', host }];
    await signInAs(PEOPLE.ana);
    assert.equal(ownSignIns.at(host), undefined);
    offered = [{ name: 'ml-prod', host, tokenSource: 'databricks-sign-in', signInClient: 'our-own' }];
    await assert.rejects(connection.checkTrust(never), CancelledError);
    assert.equal(ownSignIns.at(host), undefined);
    assert.deepEqual(asked, [
      { what: 'workspaces', old: `ml-prod ${host}`, new: `ml-prod ${host} databricks-sign-in our-own` },
    ]);
    agrees = true;
    await connection.checkTrust(never);
    assert.notEqual(ownSignIns.at(host), undefined);
    assert.equal(connection.state.kind, 'signedIn', 'nobody is signed out for it');
  });

  it('goes to no host that the control plane names and the person does not trust', async () => {
    await signInAs(PEOPLE.ana);
    const foreign = databricks.workspaces.dev.host;
    offered = [{ name: 'ml-dev', host: foreign, tokenSource: 'databricks-sign-in' }];
    agrees = true;
    await connection.checkTrust(never);
    await assert.rejects(
      ownSignIns.signIn(foreign, () => ({
        listen: (state) => startCallbackServer(state, databricksCallbackPlace('databricks-cli')),
        openBrowser: () => assert.fail('A page of a stranger was opened.'),
      })),
      coded('untrusted_host'),
    );
  });

  it('goes on while the identity provider is away, and ends when it has ended the session', async () => {
    await signInAs(PEOPLE.ana);
    await toDatabricks(PEOPLE.ana);
    const source = sourceFor(keyOf(PEOPLE.ana));
    idp.pause();
    clock.aheadMs += 11 * MINUTE_MS;
    assert.equal(await userOf(host, (await source.token()).accessToken), PEOPLE.ana.userName);
    idp.resume();
    await idp.revokeSessions(PEOPLE.ana.sub);
    await assert.rejects(source.token(), coded('session_expired'));
  });
});
