import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { endIdleRunners } from '../../../../src/control-plane/runners/tokens.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { createControlPlaneClient } from '../../../../src/protocol/client.ts';
import type { RunnerToken } from '../../../../src/protocol/runners.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { bearerOf, grantOf, refused, startWorld, type World } from '../world.ts';

const MACHINE = 'a-machine-that-runs-things';

describe('a program that takes a grant over', function () {
  this.timeout(30_000);
  let world: World;
  let grantId: string;
  beforeEach(async () => {
    world = await startWorld();
    const request = await world.ask('ana', 'recsys-deployer', 60);
    const approved = await world
      .client('lena')
      .call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });
    grantId = grantOf(approved);
    await world.until(grantId, 'active');
  });
  afterEach(() => world.close());

  const as = (token: string | undefined) =>
    createControlPlaneClient({
      baseUrl: world.url,
      accessToken: () => Promise.resolve(token),
      transport: axiosTransport(),
    });
  const offer = async (): Promise<string> =>
    (await world.client('ana').call('handOver', { params: { id: grantId }, body: { name: 'nightly' } })).code;
  const redeem = (code: string, machine = MACHINE): Promise<RunnerToken> =>
    as(undefined).call('redeemRunner', { body: { code, machine } });
  const states = async (): Promise<(readonly [state: string, endedBy: string | null])[]> => {
    const { items } = await world.client('ana').call('listRunners', { params: { id: grantId } });
    return items.map(({ state, endedBy }) => [state, endedBy] as const);
  };

  it('works under it without the session of its holder, and may do nothing else of what they may', async () => {
    const { accessToken } = await redeem(await offer());
    const runner = as(accessToken);
    const credential = await runner.call('issueCredential', { params: { id: grantId } });
    assert.notEqual(bearerOf(credential), '');
    assert.equal((await runner.call('getGrant', { params: { id: grantId } })).state, 'active');
    for (const operation of ['getMe', 'listRoles', 'listRequests', 'listGrants', 'listEvents'] as const) {
      await refused(runner.call(operation), 'not_allowed');
    }
    await refused(
      runner.call('createRequest', { body: { roleId: 'recsys-endpoint-query', purpose: 'x', minutes: 5 } }),
      'not_allowed',
    );
    await refused(runner.call('handOver', { params: { id: grantId }, body: { name: 'x' } }), 'not_allowed');
    const other = grantOf(await world.ask('ana', 'recsys-endpoint-query', 5));
    await refused(runner.call('getGrant', { params: { id: other } }), 'not_allowed');
    await refused(runner.call('returnGrant', { params: { id: other } }), 'not_allowed');
    await runner.call('returnGrant', { params: { id: grantId } });
    await refused(runner.call('issueCredential', { params: { id: grantId } }), 'grant_not_active');
  });

  it('goes on for as long as the grant does, on its own machine, and no longer', async () => {
    let token = (await redeem(await offer())).accessToken;
    for (let round = 0; round < 3; round++) {
      await world.store.advance(10 * MINUTE_MS);
      const former = token;
      token = (await as(token).call('renewRunner', { body: { machine: MACHINE } })).accessToken;
      // For a renewal whose answer was lost.
      assert.equal((await as(former).call('getGrant', { params: { id: grantId } })).state, 'active');
    }
    await world.client('ana').call('returnGrant', { params: { id: grantId } });
    await refused(as(token).call('renewRunner', { body: { machine: MACHINE } }), 'grant_not_active');
  });

  it('goes on after its machine has slept through the end of its token: that gets the next one, and nothing else', async () => {
    const first = (await redeem(await offer())).accessToken;
    await world.store.advance(40 * MINUTE_MS);
    await refused(as(first).call('getGrant', { params: { id: grantId } }), 'session_expired');
    await refused(as(first).call('issueCredential', { params: { id: grantId } }), 'session_expired');
    const { accessToken } = await as(first).call('renewRunner', { body: { machine: MACHINE } });
    assert.equal((await as(accessToken).call('getGrant', { params: { id: grantId } })).state, 'active');
    await world.store.advance(2 * MINUTE_MS);
    await refused(as(first).call('renewRunner', { body: { machine: MACHINE } }), 'session_expired');
    assert.deepEqual(await states(), [['ended', 'misused']]);
  });

  it('does not go on after its grant has ended while its machine slept, nor on another one', async () => {
    const asleep = (await redeem(await offer())).accessToken;
    const copied = (await redeem(await offer())).accessToken;
    await world.store.advance(40 * MINUTE_MS);
    const elsewhere = { body: { machine: 'another-machine-than-before' } };
    await refused(as(copied).call('renewRunner', elsewhere), 'not_allowed');
    await refused(as(copied).call('renewRunner', { body: { machine: MACHINE } }), 'session_expired');
    await world.store.advance(30 * MINUTE_MS);
    await world.until(grantId, 'ended');
    await refused(as(asleep).call('renewRunner', { body: { machine: MACHINE } }), 'grant_not_active');
    await endIdleRunners({
      db: world.store.db,
      debt: createAuditDebt(world.dataFolder, silentLogger),
    });
    // It learns what became of its grant, so that its path ends for good.
    assert.equal((await as(asleep).call('getGrant', { params: { id: grantId } })).state, 'ended');
    await refused(as(asleep).call('issueCredential', { params: { id: grantId } }), 'grant_not_active');
  });

  it('is told that its grant has ended, also where it was ended with it, and gets nothing more', async () => {
    const { accessToken } = await redeem(await offer());
    await world.client('ana').call('returnGrant', { params: { id: grantId } });
    await endIdleRunners({
      db: world.store.db,
      debt: createAuditDebt(world.dataFolder, silentLogger),
    });
    assert.deepEqual(await states(), [['ended', 'grant_ended']]);
    const runner = as(accessToken);
    const { endReason } = await runner.call('getGrant', { params: { id: grantId } });
    assert.equal(endReason, 'returned');
    await refused(runner.call('issueCredential', { params: { id: grantId } }), 'grant_not_active');
    await refused(runner.call('returnGrant', { params: { id: grantId } }), 'grant_not_active');
    await refused(runner.call('renewRunner', { body: { machine: MACHINE } }), 'grant_not_active');
    // Its machine may have slept through it.
    await world.store.advance(15 * MINUTE_MS);
    assert.equal((await runner.call('getGrant', { params: { id: grantId } })).endReason, 'returned');
    await refused(runner.call('issueCredential', { params: { id: grantId } }), 'grant_not_active');
    await refused(runner.call('renewRunner', { body: { machine: MACHINE } }), 'grant_not_active');
  });

  it('ends where a token that it has renewed comes back late, however old', async () => {
    for (const renewals of [1, 3]) {
      const first = (await redeem(await offer())).accessToken;
      let token = first;
      for (let round = 0; round < renewals; round += 1) {
        await world.store.advance(2 * MINUTE_MS);
        token = (await as(token).call('renewRunner', { body: { machine: MACHINE } })).accessToken;
      }
      await as(token).call('getGrant', { params: { id: grantId } });
      await world.store.advance(2 * MINUTE_MS);
      const late = as(first).call('getGrant', { params: { id: grantId } });
      await refused(late, renewals === 1 ? 'session_expired' : 'not_signed_in');
      await refused(as(token).call('getGrant', { params: { id: grantId } }), 'session_expired');
      assert.deepEqual((await states())[0], ['ended', 'misused']);
    }
    assert.deepEqual(await world.store.db.selectFrom('runner_spent_token').selectAll().execute(), []);
  });

  it('is on the record with whatever it tries beyond its grant, also where it would only look', async () => {
    const { id, accessToken } = await redeem(await offer());
    await refused(as(accessToken).call('listRoles'), 'not_allowed');
    const other = grantOf(await world.ask('ana', 'recsys-endpoint-query', 5));
    await refused(as(accessToken).call('getGrant', { params: { id: other } }), 'not_allowed');
    const { items } = await world.client('aude').call('listAudit', { query: { event: 'runner.refused' } });
    assert.deepEqual(
      items.map(({ grantId: about, detail }) => [detail['operation'], about, detail['runnerId']]),
      [
        ['getGrant', other, id],
        ['listRoles', null, id],
      ],
    );
  });

  it('vouches for nothing that only the tokens of its holder tell, also where the directory spoke since', async () => {
    const { accessToken } = await redeem(await offer());
    const told = async (): Promise<Date | undefined> =>
      (
        await world.store.db
          .selectFrom('principal')
          .select('token_seen_at')
          .where('sub', '=', PEOPLE.ana.sub)
          .executeTakeFirst()
      )?.token_seen_at;
    const before = await told();
    assert.ok(before);
    await world.store.advance(10 * MINUTE_MS);
    await sql`update oam.principal set seen_at = oam.now() where sub = ${PEOPLE.ana.sub}`.execute(
      world.store.db,
    );
    await as(accessToken).call('getGrant', { params: { id: grantId } });
    assert.deepEqual(await told(), before);
  });

  it('that is copied to another machine ends', async () => {
    const { accessToken } = await redeem(await offer());
    await refused(
      as(accessToken).call('renewRunner', { body: { machine: 'another-machine-than-before' } }),
      'not_allowed',
    );
    await refused(as(accessToken).call('issueCredential', { params: { id: grantId } }), 'session_expired');
    assert.deepEqual(await states(), [['ended', 'misused']]);
  });

  it('takes over once: of two with one code none goes on', async () => {
    const code = await offer();
    const outcomes = await Promise.allSettled([redeem(code), redeem(code)]);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') {
        await refused(
          as(outcome.value.accessToken).call('getGrant', { params: { id: grantId } }),
          'session_expired',
        );
      }
    }
    assert.deepEqual(await states(), [['ended', 'misused']]);
    await refused(redeem('oamh_nobody-ever-gave-this-one'), 'code_refused');
  });

  it('is not asked for more often than anybody may ask', async () => {
    const few = await startWorld({ limits: { requestsPerMinute: 3, streams: 1 } });
    try {
      const open = createControlPlaneClient({
        baseUrl: few.url,
        accessToken: () => Promise.resolve(undefined),
        transport: axiosTransport(),
      });
      const guess = () =>
        open.call('redeemRunner', { body: { code: 'oamh_a-code-of-nobody', machine: MACHINE } });
      for (let attempt = 0; attempt < 3; attempt += 1) await refused(guess(), 'code_refused');
      await refused(guess(), 'too_many_requests');
    } finally {
      await few.close();
    }
  });

  it('comes within minutes, or never', async () => {
    const code = await offer();
    await world.store.advance(6 * MINUTE_MS);
    await refused(redeem(code), 'code_refused');
  });

  it('is ended by its owner or a lead, at once, and by nobody else', async () => {
    const { id, accessToken } = await redeem(await offer());
    await refused(world.client('omar').call('endRunner', { params: { id } }), 'not_found');
    await refused(world.client('ana').call('endRunner', { params: { id: 'no-id-of-ours' } }), 'not_found');
    await refused(world.client('aude').call('endRunner', { params: { id } }), 'not_allowed');
    const ended = await world.client('lena').call('endRunner', { params: { id } });
    assert.deepEqual([ended.state, ended.endedBy], ['ended', 'revoked']);
    await refused(as(accessToken).call('issueCredential', { params: { id: grantId } }), 'session_expired');
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const events = items.filter(({ event }) => event.startsWith('runner.')).map(({ event }) => event);
    assert.deepEqual(
      new Set(events),
      new Set(['runner.offered', 'runner.started', 'runner.ended', 'runner.refused']),
    );
    assert.ok(!JSON.stringify(items).includes(accessToken));
  });

  it('is offered once for one key, with a code of its own each time, of which the last is good', async () => {
    const ana = world.client('ana');
    const wish = { params: { id: grantId }, body: { name: 'nightly' }, idempotencyKey: 'one-wish-of-ana' };
    const [first, second] = [await ana.call('handOver', wish), await ana.call('handOver', wish)];
    assert.equal(second.id, first.id);
    assert.notEqual(second.code, first.code);
    assert.deepEqual(await states(), [['offered', null]]);
    await refused(ana.call('handOver', { ...wish, body: { name: 'another' } }), 'idempotency_key_reused');
    await refused(redeem(first.code), 'code_refused');
    const { id } = await redeem(second.code);
    assert.equal(id, first.id);
    await refused(ana.call('handOver', wish), 'code_refused');
    assert.deepEqual(await states(), [['running', null]]);
    const kept = JSON.stringify(await world.store.db.selectFrom('idempotency').selectAll().execute());
    assert.ok(!kept.includes(first.code) && !kept.includes(second.code));
  });

  it('is ended also where the trail cannot take a row, and offered or begun only where it can', async () => {
    const { id, accessToken } = await redeem(await offer());
    const copied = await redeem(await offer());
    const waiting = await offer();
    await sql`alter table oam.audit add constraint closed check (false) not valid`.execute(world.store.db);
    await refused(offer(), 'audit_unavailable');
    await refused(redeem(waiting), 'audit_unavailable');
    assert.equal((await world.client('lena').call('endRunner', { params: { id } })).state, 'ended');
    await refused(as(accessToken).call('issueCredential', { params: { id: grantId } }), 'session_expired');
    const elsewhere = { body: { machine: 'another-machine-than-before' } };
    await refused(as(copied.accessToken).call('renewRunner', elsewhere), 'not_allowed');
    await refused(as(copied.accessToken).call('getGrant', { params: { id: grantId } }), 'session_expired');
    await sql`alter table oam.audit drop constraint closed`.execute(world.store.db);
  });

  it('is on the record where it is refused: under its grant, and unknown codes without a flood', async () => {
    await refused(
      world.client('lena').call('handOver', { params: { id: grantId }, body: { name: 'x' } }),
      'not_allowed',
    );
    const { id } = await redeem(await offer());
    await refused(world.client('aude').call('endRunner', { params: { id } }), 'not_allowed');
    for (let attempt = 0; attempt < 20; attempt += 1) {
      await refused(redeem(`oamh_nobody-ever-gave-number-${attempt}`), 'code_refused');
    }
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const refusals = items
      .filter(({ event }) => event === 'runner.refused')
      .map(({ requestId, grantId: grant, detail }) => [requestId, grant, detail['id'] ?? null]);
    assert.deepEqual(refusals, [
      [null, null, id],
      [null, grantId, null],
    ]);
    const codes = items.filter(({ detail }) => detail['door'] === 'redeemRunner');
    assert.deepEqual(
      codes.map(({ event, detail }) => [event, detail['code']]),
      [['authentication.refused', 'code_refused']],
    );
  });

  it('has no part in a role that works by the own sign-in of a person, nor in the access of others', async () => {
    const member = grantOf(await world.ask('ana', 'recsys-endpoint-query', 5));
    await refused(
      world.client('ana').call('handOver', { params: { id: member }, body: { name: 'x' } }),
      'bad_request',
    );
    await refused(
      world.client('lena').call('handOver', { params: { id: grantId }, body: { name: 'x' } }),
      'not_allowed',
    );
    await refused(world.client('ana').call('renewRunner', { body: { machine: MACHINE } }), 'not_allowed');
  });
});
