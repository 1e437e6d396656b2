import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import type { DelegationCreate, DelegationView } from '../../../../src/protocol/delegations.ts';
import type { RequestView } from '../../../../src/protocol/schemas.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { withRole } from '../changed-role.ts';
import { push, pushPerson, pushTeam, USER } from '../directory/pushes.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-model-promote';

describe('a delegate', function () {
  this.timeout(20_000);
  let world: World;
  afterEach(() => world.close());

  /** Somebody of Lena's team, who leads nothing. */
  const ben = (claims: Record<string, unknown> = {}): ControlPlaneClient =>
    world.client('ana', { sub: 'ben', preferred_username: 'ben@example.com', name: 'Ben', ...claims });

  const inMs = async (ms: number): Promise<string> =>
    new Date((await world.store.nowMs()) + ms).toISOString();

  const name = async (
    body: Partial<DelegationCreate> = {},
    client = world.client('lena'),
  ): Promise<DelegationView> =>
    client.call('createDelegation', {
      body: { delegate: 'Ben@example.com', reason: 'On holiday', endsAt: await inMs(DAY_MS), ...body },
    });

  const waiting = async (client: ControlPlaneClient): Promise<RequestView[]> =>
    (await client.call('listRequests', { query: { scope: 'to_approve' } })).items;

  const approve = (client: ControlPlaneClient, { id, version }: RequestView): Promise<RequestView> =>
    client.call('approveRequest', { params: { id }, version, body: {} });

  const trail = async (event: string) =>
    (await world.client('aude').call('listAudit', { query: { limit: 200 } })).items.filter(
      (row) => row.event === event,
    );

  describe('over the demo policy', () => {
    beforeEach(async () => {
      world = await startWorld();
      await ben().call('getMe');
    });

    it('approves where the one who named them could, and both are on the record', async () => {
      const start = (await ben().call('listEvents')).nextCursor;
      const delegation = await name();
      assert.equal(delegation.state, 'active');
      assert.equal(delegation.delegator.displayName, PEOPLE.lena.displayName);
      assert.equal(delegation.delegate.displayName, 'Ben');
      const request = await world.ask('ana', ROLE);
      const [seen] = await waiting(ben());
      assert.equal(seen?.id, request.id);
      assert.equal(seen.actingFor?.sub, PEOPLE.lena.sub);
      const told = await ben().call('listEvents', { query: { after: start } });
      assert.deepEqual(
        told.items.map((event) => event.kind),
        ['delegation.created', 'request.created'],
      );
      const approved = await approve(ben(), request);
      assert.equal(approved.approvals[0]?.approver.displayName, 'Ben');
      assert.equal(approved.approvals[0].onBehalfOf?.displayName, PEOPLE.lena.displayName);
      await world.until(grantOf(approved), 'active');
      const [given] = await trail('request.approval_added');
      assert.equal(given?.actor?.sub, 'ben');
      assert.deepEqual(given.detail['onBehalfOf'], {
        iss: world.identityProvider.issuer,
        sub: PEOPLE.lena.sub,
      });
      assert.equal(given.detail['delegationId'], delegation.id);
      const [named] = await trail('delegation.created');
      assert.equal(named?.actor?.sub, PEOPLE.lena.sub);
      assert.equal(named.detail['reason'], 'On holiday');
    });

    it('denies, and is seen to', async () => {
      await name();
      const { id, version } = await world.ask('ana', ROLE);
      const denied = await ben().call('denyRequest', {
        params: { id },
        version,
        body: { reason: 'Not now' },
      });
      assert.equal(denied.state, 'denied');
      assert.equal(denied.approvals[0]?.onBehalfOf?.sub, PEOPLE.lena.sub);
    });

    it('decides on no request of their own nor of the one who named them, and hands nothing on', async () => {
      await name();
      const own = await ben().call('createRequest', { body: { roleId: ROLE, purpose: 'Mine', minutes: 5 } });
      assert.deepEqual(await waiting(ben()), []);
      await refused(approve(ben(), own), 'own_request');
      const carl = world.client('ana', { sub: 'carl', preferred_username: 'carl@example.com', name: 'Carl' });
      await carl.call('getMe');
      await name({ delegate: 'carl@example.com' }, ben());
      const request = await world.ask('ana', ROLE);
      assert.deepEqual(await waiting(carl), []);
      await refused(approve(carl, request), 'not_found');
      // Lena as a data scientist asks for a role of her own team.
      const lena = world.client('lena', { duty: 'data-scientist' });
      await world.store.advance(1_000);
      const hers = await lena.call('createRequest', { body: { roleId: ROLE, purpose: 'Hers', minutes: 5 } });
      assert.deepEqual(
        (await waiting(ben())).map(({ id }) => id),
        [request.id],
      );
      await refused(approve(ben(), hers), 'not_allowed');
    });

    it('is of the same team, has signed in, is somebody else, and is named for a time', async () => {
      await world.client('omar').call('getMe');
      // Another team's people are not even known to exist.
      const other = await refused(name({ delegate: PEOPLE.omar.userName }), 'not_found');
      const nobody = await refused(name({ delegate: 'nobody@example.com' }), 'not_found');
      assert.equal(
        other.detail.replace(PEOPLE.omar.userName, ''),
        nobody.detail.replace('nobody@example.com', ''),
      );
      await ben({ sub: 'auditor', preferred_username: 'a@example.com', duty: 'auditor' }).call('getMe');
      const refusal = await refused(name({ delegate: 'a@example.com' }), 'refused_by_policy');
      assert.match(refusal.explanation?.[0] ?? '', /Auditors do not approve/);
      await refused(name({ delegate: PEOPLE.lena.userName }), 'bad_request');
      await refused(name({ endsAt: await inMs(31 * DAY_MS) }), 'window_too_long');
      await refused(name({ endsAt: await inMs(-HOUR_MS) }), 'window_too_short');
      await refused(name({ startsAt: await inMs(-HOUR_MS) }), 'start_out_of_range');
      await refused(name({ reason: ' \n' }), 'purpose_missing');
      await ben({ sub: 'ben-2' }).call('getMe');
      await refused(name(), 'bad_request');
      assert.equal((await name({ delegate: 'ben-2' })).delegate.sub, 'ben-2');
      assert.equal((await trail('delegation.refused')).length, 9);
    });

    it('begins and ends in time', async () => {
      await name({ startsAt: await inMs(HOUR_MS), endsAt: await inMs(2 * HOUR_MS) });
      const request = await world.ask('ana', ROLE);
      await refused(approve(ben(), request), 'not_found');
      await world.store.advance(HOUR_MS + MINUTE_MS);
      await world.client('lena').call('getMe');
      assert.equal((await waiting(ben())).length, 1);
      await world.store.advance(HOUR_MS);
      await world.client('lena').call('getMe');
      assert.deepEqual(await waiting(ben()), []);
      await refused(approve(ben(), request), 'not_found');
    });

    it('is refused while what is known about the other is old, and nothing is lost', async () => {
      await name();
      await world.store.advance(61 * MINUTE_MS);
      const request = await world.ask('ana', ROLE);
      const { detail } = await refused(approve(ben(), request), 'delegator_unconfirmed');
      assert.match(detail, /Nothing was changed.*Lena Fischer/);
      await refused(
        ben().call('denyRequest', {
          params: { id: request.id },
          version: request.version,
          body: { reason: 'no' },
        }),
        'delegator_unconfirmed',
      );
      assert.equal((await waiting(ben()))[0]?.version, request.version);
      await world.client('lena').call('getMe');
      assert.equal((await approve(ben(), request)).state, 'approved');
    });

    it('decides no more when the other does not lead, or they are not of the team any more', async () => {
      await name();
      const request = await world.ask('ana', ROLE);
      await world.store.advance(1_000);
      await refused(approve(ben({ groups: ['ml-recsys-leads-of-old'] }), request), 'not_allowed');
      await world.store.advance(1_000);
      await world.client('lena', { groups: ['ml-recsys'] }).call('getMe');
      await refused(approve(ben(), request), 'not_found');
      await world.store.advance(1_000);
      // A list that overflowed is neither a yes nor a no.
      await refused(
        world.client('lena', { groups: undefined, _claim_names: { groups: 's' } }).call('getMe'),
        'groups_overflowed',
      );
      await refused(approve(ben(), request), 'not_found');
      await world.store.advance(1_000);
      await world.client('lena').call('getMe');
      assert.equal((await approve(ben(), request)).state, 'approved');
    });

    it('is ended by either side and by a lead, at once, and by nobody else', async () => {
      const end = (client: ControlPlaneClient, id: string) =>
        client.call('revokeDelegation', { params: { id } });
      const lead = world.client('omar', { sub: 'lead', groups: ['ml-recsys-leads'], duty: 'lead' });
      const list = async (client: ControlPlaneClient, scope: 'given' | 'held' | 'team') =>
        (await client.call('listDelegations', { query: { scope } })).items.map(({ id }) => id);
      const request = await world.ask('ana', ROLE);
      for (const by of [world.client('lena'), ben(), lead]) {
        const { id } = await name();
        assert.ok((await list(world.client('lena'), 'given')).includes(id));
        assert.ok((await list(ben(), 'held')).includes(id));
        assert.ok((await list(lead, 'team')).includes(id));
        assert.deepEqual(await list(world.client('omar'), 'team'), []);
        assert.deepEqual(await list(world.client('ana'), 'team'), []);
        for (const stranger of [world.client('ana'), world.client('omar'), world.client('aude')]) {
          await refused(end(stranger, id), 'not_found');
        }
        const ended = await end(by, id);
        assert.equal(ended.state, 'revoked');
        assert.deepEqual(await end(by, id), ended, 'ending it twice is ending it once');
        await refused(approve(ben(), request), 'not_found');
      }
      await refused(end(world.client('lena'), 'no-such-thing'), 'not_found');
      assert.equal((await trail('delegation.revoked')).length, 3);
    });

    it('has decided before it is ended, or decides no more, whichever comes first', async () => {
      for (let round = 0; round < 12; round += 1) {
        const delegation = await name();
        const request = await world.ask('ana', ROLE);
        const [word] = await Promise.allSettled([
          approve(ben(), request),
          ben().call('revokeDelegation', { params: { id: delegation.id } }),
        ]);
        const after = await world.client('ana').call('getRequest', { params: { id: request.id } });
        assert.equal(after.state, word.status === 'fulfilled' ? 'approved' : 'pending');
        // By the trail, no word was given after the end.
        const { rows } = await sql<{ late: number }>`
          select count(*) as late from oam.audit word join oam.audit ended
            on ended.detail ->> 'delegationId' = word.detail ->> 'delegationId'
          where word.event = 'request.approval_added' and ended.event = 'delegation.revoked'
            and word.transaction_id > ended.transaction_id and word.at > ended.at
            and word.detail ->> 'delegationId' = ${delegation.id}`.execute(world.store.db);
        assert.equal(rows[0]?.late, 0);
        if (after.grantId === null) {
          await world.client('ana').call('cancelRequest', { params: { id: request.id } });
        } else {
          await world.client('ana').call('returnGrant', { params: { id: after.grantId } });
          await world.until(after.grantId, 'ended', 'failed');
        }
      }
    });

    it('speaks no more from the moment on at which the revocation is being written', async () => {
      const { db } = world.store;
      const { id } = await name();
      const request = await world.ask('ana', ROLE);
      const word = await db.transaction().execute(async (trx) => {
        await sql`update oam.delegation set revoked_at = oam.now(), revoker_iss = 'i', revoker_sub = 's'
          where id = ${id}`.execute(trx);
        const outcome = Promise.allSettled([approve(ben(), request)]);
        for (let waits = false; !waits; await delay(10)) {
          const { rows } = await sql<{ waits: boolean }>`
            select exists (select from pg_locks where not granted) as waits`.execute(db);
          waits = rows[0]?.waits === true;
        }
        return { outcome };
      });
      const [outcome] = await word.outcome;
      assert.ok(outcome?.status === 'rejected');
      await refused(Promise.reject(outcome.reason as Error), 'not_allowed');
      const after = await world.client('ana').call('getRequest', { params: { id: request.id } });
      assert.equal(after.state, 'pending');
    });

    it('is named once by one key', async () => {
      const body = { delegate: 'ben', reason: 'On holiday', endsAt: await inMs(DAY_MS) };
      const lena = world.client('lena');
      const twice = await Promise.all(
        [1, 2].map(() => lena.call('createDelegation', { body, idempotencyKey: 'one' })),
      );
      assert.equal(twice[0]?.id, twice[1]?.id);
      assert.equal((await lena.call('listDelegations')).items.length, 1);
      await refused(
        lena.call('createDelegation', { body: { ...body, reason: 'Else' }, idempotencyKey: 'one' }),
        'idempotency_key_reused',
      );
    });

    it('loses their word before the grant where the other may not decide any more', async () => {
      await world.restart(withRole(ROLE, { approval: [{ approverGroups: ['ml-recsys-leads'], quorum: 2 }] }));
      await name();
      const request = await world.ask('ana', ROLE);
      const half = await approve(ben(), request);
      assert.equal(half.state, 'pending');
      // Lena and Ben are one voice.
      assert.deepEqual(await waiting(world.client('lena')), []);
      await refused(approve(world.client('lena'), half), 'already_decided');
      await world.store.advance(1_000);
      await world.client('lena', { groups: ['ml-recsys'] }).call('getMe');
      const second = world.client('omar', { groups: ['ml-recsys-leads'], duty: 'lead' });
      const now = await approve(second, half);
      assert.equal(now.state, 'pending');
      assert.deepEqual(
        now.approvals.map((word) => word.approver.sub),
        [PEOPLE.omar.sub],
      );
    });
  });

  describe('with a directory that speaks', () => {
    beforeEach(async () => {
      world = await startWorld({ directory: true });
      await ben().call('getMe');
    });

    const pushLena = async (active = true): Promise<void> => {
      const id = await pushPerson(world, 'lena', { active });
      for (const team of ['ml-recsys', 'ml-recsys-leads']) await pushTeam(world, team, id);
    };

    it('decides while the one who named them is away, as long as the directory vouches for these', async () => {
      await name({ endsAt: await inMs(10 * DAY_MS) });
      await world.store.advance(5 * DAY_MS);
      await pushLena();
      const request = await world.ask('ana', ROLE);
      await world.store.advance(16 * MINUTE_MS);
      await refused(approve(ben(), request), 'delegator_unconfirmed');
      await push(world, '/Users', {
        schemas: [USER],
        userName: 'x@example.com',
        externalId: 'x',
        active: true,
      });
      assert.equal((await approve(ben(), request)).state, 'approved');
    });

    it('does not decide for somebody who left', async () => {
      await name();
      await pushLena(false);
      const request = await world.ask('ana', ROLE);
      const { detail } = await refused(approve(ben(), request), 'not_allowed');
      assert.match(detail, /not active any more/);
    });

    it('does not go by a duty that only an old token told', async () => {
      await world.restart(
        withRole(ROLE, {
          approval: [{ approverGroups: ['ml-recsys-leads'], approverDuty: 'lead', quorum: 1 }],
        }),
      );
      await name({ endsAt: await inMs(10 * DAY_MS) });
      await world.store.advance(DAY_MS);
      await pushLena();
      const request = await world.ask('ana', ROLE);
      await refused(approve(ben(), request), 'delegator_unconfirmed');
      await world.client('lena').call('getMe');
      assert.equal((await approve(ben(), request)).state, 'approved');
    });
  });
});
