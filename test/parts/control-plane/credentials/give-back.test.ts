import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { roleTokenSource } from '../../../../src/broker/index.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { HOUR_MS } from '../../../../src/domain/time.ts';
import {
  createSessionKeeper,
  credentialReturn,
  memorySessionStore,
  processRefreshLock,
  type Session,
  type SessionKeeper,
} from '../../../../src/identity/index.ts';
import { axiosTransport, type HttpTransport } from '../../../../src/protocol/transport.ts';
import { hasCode, OamError } from '../../../../src/domain/errors.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { withRole } from '../changed-role.ts';
import { refused, startWorld, type World } from '../world.ts';
import { granted } from './granted.ts';

const ROLE = 'recsys-deployer';

describe('what a sign-in was issued, when it is over', function () {
  this.timeout(40_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld({
      adjustPolicy: withRole(ROLE, { credential: 'pat', sensitivity: 'medium' }),
      reconciler: { everySeconds: 3_600 },
    });
  });
  afterEach(() => world.close());

  const tokens = (): number => world.databricks.personalAccessTokens('prod').length;
  const tokensAre = async (count: number): Promise<void> => {
    const deadline = performance.now() + 20_000;
    while (tokens() !== count) {
      assert.ok(performance.now() < deadline, `There are ${tokens()} tokens, not ${count}.`);
      await delay(20);
    }
  };

  /** One of Ana's sign-ins, as a window or `oam` keeps it, and what gets tokens of a role in it. */
  const signedIn = async (signInId: string, transport: HttpTransport = axiosTransport()) => {
    const nowMs = Date.now();
    const session: Session = {
      ...{ issuer: world.identityProvider.issuer, subject: PEOPLE.ana.sub },
      ...{ userName: 'ana', displayName: 'Ana', accessToken: await world.token('ana'), idToken: 'none' },
      ...{ accessTokenExpiresAtMs: nowMs + HOUR_MS, idTokenExpiresAtMs: nowMs + HOUR_MS },
      ...{ beganAtMs: nowMs, signInId },
    };
    const keeper: SessionKeeper = createSessionKeeper({
      store: memorySessionStore(),
      lock: processRefreshLock(),
      identityProvider: () => Promise.reject(new OamError('identity_provider_unavailable', 'Away.')),
      giveBack: credentialReturn({ baseUrl: world.url, transport }),
      ...{ clock: { nowMs: () => Date.now() }, logger: silentLogger, redactor: createRedactor() },
    });
    await keeper.accept(session);
    const take = (grantId: string) =>
      roleTokenSource({
        ...{ grantId, client: world.client('ana'), redactor: createRedactor() },
        session: () => signInId,
      }).token();
    return { keeper, take };
  };

  const leases = async (id: string) =>
    (await world.client('ana').call('listLeases', { params: { id } })).items.map(({ state }) => state).sort();

  it('is deleted at Databricks, on the record, while the access lives on; that of others stays', async () => {
    const { id } = await granted(world, 'ana', ROLE, 60);
    const [laptop, other] = [
      await signedIn('the-sign-in-on-the-laptop'),
      await signedIn('the-one-elsewhere'),
    ];
    await laptop.take(id);
    await laptop.take(id);
    await other.take(id);
    await world.client('ana').call('issueCredential', { params: { id } });
    assert.equal(tokens(), 4);

    await (
      await laptop.keeper.signOut()
    ).atProvider;
    await tokensAre(2);
    while ((await leases(id)).includes('outlives')) await delay(20);
    assert.deepEqual(await leases(id), ['issued', 'issued', 'revoked', 'revoked']);
    assert.equal((await world.client('ana').call('getGrant', { params: { id } })).state, 'active');
    const { items } = await world
      .client('aude')
      .call('listAudit', { query: { event: 'credential.returned', limit: 10 } });
    assert.deepEqual(
      items.map(({ grantId, actor, detail }) => [grantId, actor?.sub, detail['because']]),
      [
        [id, PEOPLE.ana.sub, 'signed_out'],
        [id, PEOPLE.ana.sub, 'signed_out'],
      ],
    );
    // Whoever signs in again gets another.
    await (await signedIn('the-next-sign-in')).take(id);
    assert.equal(tokens(), 3);
  });

  it('is given back once, by its own holder only, and also where the trail takes no row', async () => {
    const { id } = await granted(world, 'ana', ROLE, 60);
    const session = 'the-sign-in-on-the-laptop';
    await (await signedIn(session)).take(id);
    const back = async (name: 'ana' | 'lena') =>
      (await world.client(name).call('returnCredentials', { body: { session } })).returned;
    assert.equal(await back('lena'), 0);
    await sql`alter table oam.audit add constraint closed check (false) not valid`.execute(world.store.db);
    assert.deepEqual((await Promise.all([back('ana'), back('ana')])).sort(), [0, 1]);
    assert.equal(await back('ana'), 0);
    await sql`alter table oam.audit drop constraint closed`.execute(world.store.db);
    await tokensAre(0);
  });

  it('gets nothing more, also where it asks in the very moment of the sign-out', async () => {
    const { id } = await granted(world, 'ana', ROLE, 60);
    const ana = world.client('ana');
    const session = 'the-sign-in-on-the-laptop';
    const ask = () => ana.call('issueCredential', { params: { id }, body: { session } });
    // The grant is held, so that it is asked before and after the sign-out is told, and both wait.
    const { db } = world.store;
    const waiting = async (count: number): Promise<void> => {
      for (;;) {
        const { rows } = await sql<{ count: number }>`select count(*)::integer as count from pg_stat_activity
          where wait_event_type = 'Lock' and datname = current_database()`.execute(db);
        if (rows[0]?.count === count) return;
        await delay(10);
      }
    };
    const calls = await db.transaction().execute(async (trx) => {
      await sql`select from oam.access_grant where id = ${id} for update`.execute(trx);
      const before = ask();
      await waiting(1);
      const back = ana.call('returnCredentials', { body: { session } });
      await waiting(2);
      const after = ask();
      await waiting(3);
      // What is not awaited here must not be taken for an error that nobody looked at.
      return { settled: Promise.allSettled([before, back, after]) };
    });
    const [before, back, after] = await calls.settled;
    assert.ok(back.status === 'fulfilled', 'the sign-out went through');
    assert.equal(after.status === 'rejected' && hasCode(after.reason, 'sign_in_again'), true);
    // Whatever came of the first, there is no token left of it.
    assert.ok(before.status === 'fulfilled' || before.reason instanceof Error);
    await tokensAre(0);
    await refused(ask(), 'sign_in_again');
    await ana.call('issueCredential', { params: { id }, body: { session: 'the-next-sign-in' } });
    assert.equal(tokens(), 1);
  });

  it('ends with its access where the control plane is away at the sign-out, which goes through', async () => {
    const { id } = await granted(world, 'ana', ROLE, 60);
    const away: HttpTransport = () => Promise.reject(new OamError('unreachable', 'Away.'));
    const { keeper, take } = await signedIn('the-sign-in-on-the-laptop', away);
    await take(id);
    await (
      await keeper.signOut()
    ).atProvider;
    assert.equal(keeper.state.kind, 'signed-out');
    assert.equal(tokens(), 1);
    await world.client('ana').call('returnGrant', { params: { id } });
    await tokensAre(0);
  });
});
