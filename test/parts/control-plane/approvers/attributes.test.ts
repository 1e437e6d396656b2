import assert from 'node:assert/strict';

import { sql } from 'kysely';

import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import type { ApprovalStage } from '../../../../src/domain/role.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { withRole } from '../changed-role.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-model-promote';

const ON_CALL: ApprovalStage = {
  approverGroups: [],
  approverAttributes: { on_call: ['recsys', 'everything'] },
  ofTeam: { name: 'recsys', groups: ['ml-recsys', 'ml-recsys-leads'] },
  quorum: 1,
};

describe('a request that waits for somebody with an attribute', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld({ adjustPolicy: withRole(ROLE, { approval: [ON_CALL] }) });
  });
  afterEach(() => world.close());

  const colleague = (claims: Record<string, unknown>): ControlPlaneClient =>
    world.client('ana', { sub: 'colleague', groups: ['ml-recsys'], ...claims });

  const waiting = async (client: ControlPlaneClient): Promise<string[]> => {
    const { items } = await client.call('listRequests', { query: { scope: 'to_approve' } });
    return items.map((item) => item.id);
  };

  it('is found, told and decided by them', async () => {
    const approver = colleague({ on_call: ['search', 'recsys'] });
    const start = (await approver.call('listEvents')).nextCursor;
    const { id, version, stages } = await world.ask('ana', ROLE);
    assert.deepEqual(stages, [
      {
        approverGroups: [],
        approverDuty: null,
        approverAttributes: { on_call: ['recsys', 'everything'] },
        ofTeam: 'recsys',
        quorum: 1,
      },
    ]);
    assert.deepEqual(await waiting(approver), [id]);
    const { items } = await approver.call('listEvents', { query: { after: start } });
    assert.ok(items.some((event) => event.kind === 'request.created' && event.requestId === id));
    const approved = await approver.call('approveRequest', { params: { id }, version, body: {} });
    await world.until(grantOf(approved), 'active');
    const { rows } = await sql<{ attributes: unknown; fresh: boolean }>`
      select attributes, seen_at > oam.now() - interval '1 minute' as fresh
      from oam.principal where sub = 'colleague'`.execute(world.store.db);
    assert.deepEqual(rows, [{ attributes: { on_call: ['search', 'recsys'] }, fresh: true }]);
  });

  it('is nothing to those who lack it, have it in another form, or are of another team', async () => {
    const { id, version } = await world.ask('ana', ROLE);
    const forms = [
      undefined,
      'rec',
      true,
      1,
      null,
      ['recsys', 7],
      { recsys: true },
      [],
      'recsys\u0000',
      '\ud800',
    ];
    for (const [index, form] of forms.entries()) {
      const other = colleague({ sub: `colleague-${index}`, on_call: form });
      assert.deepEqual(await waiting(other), [], JSON.stringify(form));
      await refused(other.call('approveRequest', { params: { id }, version, body: {} }), 'not_found');
    }
    const elsewhere = world.client('omar', { on_call: 'recsys' });
    assert.deepEqual(await waiting(elsewhere), []);
    await refused(elsewhere.call('approveRequest', { params: { id }, version, body: {} }), 'not_found');
    // Lena leads the team and sees the request; her word is not the one that it waits for.
    assert.deepEqual(await waiting(world.client('lena')), []);
    const problem = await refused(
      world.client('lena').call('approveRequest', { params: { id }, version, body: {} }),
      'not_allowed',
    );
    assert.match(problem.detail, /people with on_call recsys or everything of the team recsys/);
    assert.equal((await world.client('ana').call('getRequest', { params: { id } })).state, 'pending');
  });

  it('is neither approved nor denied by somebody whose groups overflowed', async () => {
    const { id, version } = await world.ask('ana', ROLE);
    const overflowed = world.client('lena', {
      groups: undefined,
      _claim_names: { groups: 'src1' },
      on_call: 'recsys',
    });
    await refused(overflowed.call('approveRequest', { params: { id }, version, body: {} }), 'not_found');
    await refused(overflowed.call('listRequests', { query: { scope: 'to_approve' } }), 'groups_overflowed');
  });

  it('loses the word of somebody who is not on call any more', async () => {
    await world.restart(withRole(ROLE, { approval: [{ ...ON_CALL, quorum: 2 }] }));
    const { id, version } = await world.ask('ana', ROLE);
    const first = colleague({ on_call: 'recsys' });
    const half = await first.call('approveRequest', { params: { id }, version, body: {} });
    assert.equal(half.state, 'pending');
    await world.store.advance(1_000);
    await colleague({ on_call: 'search' }).call('getMe');
    const second = world.client('lena', { on_call: 'everything' });
    const now = await second.call('approveRequest', { params: { id }, version: half.version, body: {} });
    assert.equal(now.state, 'pending');
    assert.deepEqual(
      now.approvals.map((word) => word.approver.sub),
      [PEOPLE.lena.sub],
    );
  });

  it('may be reviewed by them where it was taken in an emergency', async () => {
    const taken = await world.client('ana').call('createRequest', {
      body: { roleId: ROLE, purpose: 'The ranker is down', minutes: 30, ticket: 'INC-1', breakGlass: true },
    });
    const query = { scope: 'to_review' as const };
    const approver = colleague({ on_call: 'recsys' });
    const { items } = await approver.call('listGrants', { query });
    assert.deepEqual(
      items.map((grant) => grant.id),
      [taken.grantId],
    );
    const other = colleague({ sub: 'other', on_call: 'search' });
    assert.deepEqual((await other.call('listGrants', { query })).items, []);
    await refused(other.call('getGrant', { params: { id: grantOf(taken) } }), 'not_found');
  });
});

describe('what only tokens tell', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld({
      directory: true,
      adjustPolicy: withRole(ROLE, { approval: [ON_CALL] }),
    });
  });
  afterEach(() => world.close());

  /** The directory says anew which groups the colleague is in. */
  const directorySpeaks = () =>
    sql`update oam.principal set seen_at = oam.now() where sub = 'colleague'`.execute(world.store.db);

  const colleague = (claims: Record<string, unknown>): ControlPlaneClient =>
    world.client('ana', { sub: 'colleague', groups: ['ml-recsys'], ...claims });

  const seconds = async (): Promise<number> => Math.floor((await world.store.nowMs()) / 1_000);

  it('is taken from a newer token also where the directory spoke of groups since', async () => {
    const start = await seconds();
    await colleague({ iat: start, on_call: 'recsys' }).call('getMe');
    const { id, version } = await world.ask('ana', ROLE);
    await world.store.advance(10_000);
    await directorySpeaks();
    const now = colleague({ iat: start + 5 });
    assert.deepEqual((await now.call('listRequests', { query: { scope: 'to_approve' } })).items, []);
    await refused(now.call('approveRequest', { params: { id }, version, body: {} }), 'not_found');
    // The older token tells nothing any more.
    const before = colleague({ iat: start, on_call: 'recsys' });
    await refused(before.call('approveRequest', { params: { id }, version, body: {} }), 'not_found');
  });

  it('is too old after an hour, however lately the directory spoke', async () => {
    const { id, version } = await world.ask('ana', ROLE);
    const start = await seconds();
    const approver = colleague({ iat: start, exp: start + 2 * 3_600, on_call: 'recsys' });
    await approver.call('getMe');
    await world.advance(61 * MINUTE_MS);
    await directorySpeaks();
    await refused(approver.call('approveRequest', { params: { id }, version, body: {} }), 'sign_in_again');
    await world.client('ana').call('getMe');
    const { state } = await colleague({ on_call: 'recsys' }).call('approveRequest', {
      params: { id },
      version,
      body: {},
    });
    assert.equal(state, 'approved');
  });
});
