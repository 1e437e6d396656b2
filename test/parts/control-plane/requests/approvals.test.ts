import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { type RawBuilder, sql } from 'kysely';

import type { PolicyVersion } from '../../../../src/control-plane/policy/version.ts';
import type { RequestState } from '../../../../src/domain/lifecycle.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import type { RequestView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';
import { withRole } from '../changed-role.ts';

const ROLE = 'recsys-model-promote';

describe('a request that needs approval', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const events = async (request: RequestView): Promise<string[]> => {
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    return items.filter((row) => row.requestId === request.id).map((row) => row.event);
  };

  /** Lena's yes to a request as it was seen. */
  const approve = ({ id, version }: RequestView): Promise<RequestView> =>
    world.client('lena').call('approveRequest', { params: { id }, version, body: {} });

  /** Moves the moment at which Ana was last vouched for. */
  const seenAt = (moment: RawBuilder<unknown>) =>
    sql`update oam.principal set seen_at = ${moment} where sub = ${PEOPLE.ana.sub}`.execute(world.store.db);

  /** The request once it has left a state by itself. */
  const settledFrom = async (state: RequestState, id: string): Promise<RequestView> => {
    const auditor = world.client('aude');
    for (let tries = 0; tries < 200; tries += 1) {
      const now = await auditor.call('getRequest', { params: { id } });
      if (now.state !== state) return now;
      await delay(10);
    }
    return assert.fail(`The request is still ${state}.`);
  };

  it('waits for a lead, is granted for the shorter time, and the grant becomes active', async () => {
    const request = await world.ask('ana', ROLE, 60);
    assert.equal(request.state, 'pending');
    const lena = world.client('lena');
    const { items } = await lena.call('listRequests', { query: { scope: 'to_approve' } });
    assert.deepEqual(
      items.map((item) => item.id),
      [request.id],
    );
    const approved = await lena.call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: { approvedMinutes: 10, comment: 'Only the canary' },
    });
    assert.equal(approved.state, 'approved');
    assert.equal(approved.approvals[0]?.approver.sub, PEOPLE.lena.sub);
    const active = await world.until(grantOf(approved), 'active');
    assert.equal(active.minutes, 10);
    assert.deepEqual(world.databricks.members(SEED.jitGroups.modelPromote.id), [SEED.users.ana.id]);
    assert.deepEqual((await lena.call('listRequests', { query: { scope: 'to_approve' } })).items, []);
  });

  it('is not decided by its requester, by people of other teams, or twice', async () => {
    const request = await world.ask('ana', ROLE);
    const decide = { params: { id: request.id }, version: request.version };
    await refused(world.client('ana').call('approveRequest', { ...decide, body: {} }), 'own_request');
    // A requester who is in the lead group as well is still the requester.
    const promoted = world.client('ana', { groups: ['ml-recsys', 'ml-recsys-leads'] });
    await refused(promoted.call('approveRequest', { ...decide, body: {} }), 'own_request');
    await refused(world.client('omar').call('approveRequest', { ...decide, body: {} }), 'not_found');
    await refused(world.client('aude').call('approveRequest', { ...decide, body: {} }), 'not_allowed');
    const lena = world.client('lena');
    await refused(
      lena.call('approveRequest', { params: { id: request.id }, body: {} }),
      'precondition_required',
    );
    await refused(lena.call('approveRequest', { ...decide, version: 7, body: {} }), 'precondition_failed');
    await refused(
      lena.call('approveRequest', { ...decide, body: { approvedMinutes: 6 } }),
      'window_too_long',
    );
    const denied = await lena.call('denyRequest', { ...decide, body: { reason: 'Not this week' } });
    assert.equal(denied.state, 'denied');
    await refused(
      lena.call('approveRequest', { ...decide, version: denied.version, body: {} }),
      'already_decided',
    );
    assert.deepEqual((await world.client('ana').call('listGrants')).items, []);
    const seen = await events(request);
    assert.equal(seen.filter((event) => event === 'approval.refused').length, 6);
    assert.ok(seen.includes('request.denied'));
  });

  it('has one winner where approving, denying and cancelling meet', async () => {
    const lena = world.client('lena');
    for (let round = 0; round < 5; round += 1) {
      const request = await world.ask('ana', ROLE);
      const decide = { params: { id: request.id }, version: request.version };
      const outcomes = await Promise.allSettled([
        lena.call('approveRequest', { ...decide, body: {} }),
        lena.call('denyRequest', { ...decide, body: { reason: 'no' } }),
        world.client('ana').call('cancelRequest', decide),
      ]);
      assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
      const after = await world.client('ana').call('getRequest', { params: { id: request.id } });
      assert.equal(after.grantId !== null, after.state === 'approved');
      if (after.grantId !== null) {
        await world.client('ana').call('returnGrant', { params: { id: after.grantId } });
        await world.until(after.grantId, 'ended', 'failed');
      }
    }
  });

  it('lapses where nobody answers', async () => {
    const request = await world.ask('ana', ROLE);
    await world.store.advance(1_440 * MINUTE_MS);
    assert.equal((await settledFrom('pending', request.id)).state, 'lapsed');
    assert.ok((await events(request)).includes('request.lapsed'));
    await world.ask('ana', ROLE);
  });

  it('waits for its requester where the facts about them are old, and goes on when they return', async () => {
    const request = await world.ask('ana', ROLE);
    await seenAt(sql`seen_at - interval '2 hours'`);
    const waiting = await approve(request);
    assert.equal(waiting.state, 'awaiting_requester');
    assert.equal(waiting.grantId, null);
    await world.client('ana').call('getMe');
    const after = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.equal(after.state, 'approved');
    await world.until(grantOf(after), 'active');
  });

  it('goes on also where its requester returned at the very moment in which it began to wait', async () => {
    const request = await world.ask('ana', ROLE);
    await seenAt(sql`seen_at - interval '2 hours'`);
    const waiting = await approve(request);
    assert.equal(waiting.state, 'awaiting_requester');
    // What a sign-in leaves behind that looked for waiting requests just before this one was committed.
    await seenAt(sql`oam.now()`);
    const after = await settledFrom('awaiting_requester', request.id);
    assert.equal(after.state, 'approved');
    await world.until(grantOf(after), 'active');
  });

  it('is denied by policy where the requester has left the team meanwhile', async () => {
    const request = await world.ask('ana', ROLE);
    await world.store.advance(1_000);
    await world.client('ana', { groups: ['elsewhere'] }).call('getMe');
    const decided = await approve(request);
    assert.equal(decided.state, 'denied');
    assert.equal(decided.grantId, null);
  });

  it('goes back to pending where its role changed, and the words that were given fall', async () => {
    const request = await world.ask('ana', ROLE);
    await world.restart(withRole(ROLE, { gives: 'Everything' }));
    const lena = world.client('lena');
    await refused(
      lena.call('approveRequest', { params: { id: request.id }, version: request.version, body: {} }),
      'precondition_failed',
    );
    const again = await lena.call('getRequest', { params: { id: request.id } });
    assert.equal(again.state, 'pending');
    assert.notEqual(again.hash, request.hash);
    assert.equal(again.role.gives, 'Everything');
    const approved = await lena.call('approveRequest', {
      params: { id: request.id },
      version: again.version,
      body: {},
    });
    await world.until(grantOf(approved), 'active');
  });

  it('is refused where its role does not last as long any more', async () => {
    const request = await world.ask('ana', ROLE, 60);
    await world.restart(withRole(ROLE, { maxMinutes: 30, defaultMinutes: 30 }));
    const lena = world.client('lena');
    await refused(
      lena.call('approveRequest', { params: { id: request.id }, version: request.version, body: {} }),
      'precondition_failed',
    );
    const after = await lena.call('getRequest', { params: { id: request.id } });
    assert.equal(after.state, 'denied');
    assert.match(after.because.join(' '), /30 minutes at most/);
    // A shorter one goes through as ever.
    assert.equal((await world.ask('ana', ROLE, 30)).state, 'pending');
  });

  it('is refused where its role belongs to another team now, whatever the rules say', async () => {
    const request = await world.ask('ana', ROLE);
    const permissive = (policy: PolicyVersion): PolicyVersion => ({
      ...withRole(ROLE, { team: 'platform' })(policy),
      decideRequest: () => ({ kind: 'granted_at_once', because: ['Everybody gets everything.'] }),
    });
    await world.restart(permissive);
    await refused(approve(request), 'precondition_failed');
    const after = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.equal(after.state, 'denied');
    assert.match(after.because.join(' '), /your teams/);
    assert.deepEqual((await world.client('ana').call('listGrants')).items, []);
  });
});

describe('a request that needs two approvers', function () {
  this.timeout(20_000);
  const LEADS = 'ml-recsys-leads';
  let world: World;
  beforeEach(async () => {
    world = await startWorld({
      adjustPolicy: withRole(ROLE, { approval: [{ approverGroups: [LEADS], quorum: 2 }] }),
    });
  });
  afterEach(() => world.close());

  const decide = async (id: string, client: ControlPlaneClient): Promise<RequestView> => {
    const { version } = await client.call('getRequest', { params: { id } });
    return client.call('approveRequest', { params: { id }, version, body: {} });
  };
  const second = (): ControlPlaneClient => world.client('omar', { groups: [LEADS], duty: 'lead' });

  it('is granted by the second one', async () => {
    const { id } = await world.ask('ana', ROLE);
    assert.equal((await decide(id, world.client('lena'))).state, 'pending');
    const approved = await decide(id, second());
    assert.equal(approved.state, 'approved');
    assert.equal(approved.approvals.length, 2);
  });

  it('does not count the word of one who may not approve any more when the other gives theirs', async () => {
    const { id } = await world.ask('ana', ROLE);
    await decide(id, world.client('lena'));
    await world.store.advance(1_000);
    await world.client('lena', { groups: ['ml-recsys'] }).call('getMe');
    const waiting = await decide(id, second());
    assert.equal(waiting.state, 'pending');
    assert.deepEqual(
      waiting.approvals.map((word) => word.approver.sub),
      [PEOPLE.omar.sub],
    );
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const fallen = items.find((row) => row.event === 'approval.fallen' && row.requestId === id);
    assert.deepEqual(fallen?.detail['approver'], {
      iss: world.identityProvider.issuer,
      sub: PEOPLE.lena.sub,
    });
    // A list that overflowed says nothing about Omar: his word stays, and a third one completes it.
    await world.store.advance(1_000);
    const overflowed = { groups: undefined, _claim_names: { groups: 'src1' } };
    await refused(world.client('omar', overflowed).call('getMe'), 'groups_overflowed');
    const third = world.client('aude', { sub: 'third', groups: [LEADS], duty: 'lead' });
    assert.equal((await decide(id, third)).state, 'approved');
  });

  it('asks again when its requester returns and one of them has left meanwhile', async () => {
    const { id } = await world.ask('ana', ROLE);
    await decide(id, world.client('lena'));
    await sql`update oam.principal set seen_at = seen_at - interval '2 hours'
      where sub = ${PEOPLE.ana.sub}`.execute(world.store.db);
    assert.equal((await decide(id, second())).state, 'awaiting_requester');
    await world.store.advance(1_000);
    await world.client('lena', { groups: ['ml-recsys'] }).call('getMe');
    const after = await world.client('ana').call('getRequest', { params: { id } });
    assert.equal(after.state, 'pending');
    assert.equal(after.approvals.length, 1);
  });
});

describe('a request whose time is over, before anybody has swept', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    // Long enough for a word to come between the end of the time and the sweep.
    world = await startWorld({ pollMs: 1_000 });
  });
  afterEach(() => world.close());

  it('is approved by nobody, and has lapsed', async () => {
    const request = await world.ask('ana', ROLE);
    await world.store.advance(1_440 * MINUTE_MS);
    const lena = world.client('lena');
    const decide = { params: { id: request.id }, version: request.version };
    await refused(lena.call('approveRequest', { ...decide, body: {} }), 'precondition_failed');
    const after = await lena.call('getRequest', { params: { id: request.id } });
    assert.equal(after.state, 'lapsed');
    await refused(
      lena.call('denyRequest', { ...decide, version: after.version, body: { reason: 'late' } }),
      'already_decided',
    );
    assert.deepEqual((await world.client('ana').call('listGrants')).items, []);
  });

  it('is not granted to a requester who comes back too late', async () => {
    const request = await world.ask('ana', ROLE);
    await world.store.advance(1_400 * MINUTE_MS);
    const waiting = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    assert.equal(waiting.state, 'awaiting_requester');
    await world.store.advance(40 * MINUTE_MS);
    await world.client('ana').call('getMe');
    const after = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.notEqual(after.state, 'approved');
    assert.equal(after.grantId, null);
  });
});
