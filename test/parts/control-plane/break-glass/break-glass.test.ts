import assert from 'node:assert/strict';

import { HOUR_MS } from '../../../../src/domain/time.ts';
import type { RequestView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, type Name, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-model-promote';
const GROUP = SEED.jitGroups.modelPromote.id;

describe('breaking the glass', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const breakGlass = (change: object = {}, name: Name = 'ana'): Promise<RequestView> =>
    world.client(name).call('createRequest', {
      body: {
        ...{ roleId: ROLE, purpose: 'The ranker answers nonsense', minutes: 30 },
        ...{ ticket: 'INC-7', breakGlass: true, ...change },
      },
    });

  const review = (id: string, name: Name = 'lena', verdict: 'ok' | 'misuse' = 'ok') =>
    world.client(name).call('reviewGrant', {
      params: { id },
      body: { verdict, comment: 'Agreed on the phone' },
    });

  const toReview = async (name: Name): Promise<string[]> => {
    const { items } = await world.client(name).call('listGrants', { query: { scope: 'to_review' } });
    return items.map(({ id }) => id);
  };

  const metric = async (name: string): Promise<number> => {
    const { text } = await world.http({ method: 'GET', path: '/metrics' });
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };

  it('gives a role at once that would need approval, loudly, and asks somebody else to look at it', async () => {
    const lena = world.client('lena');
    const { nextCursor } = await lena.call('listEvents');
    const request = await breakGlass();
    assert.deepEqual([request.state, request.breakGlass, request.approvals], ['approved', true, []]);
    const grant = await world.until(grantOf(request), 'active');
    assert.equal(grant.review?.state, 'pending');
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);

    // The feed shows what no running transaction can precede any more, which may be a moment later.
    const isTold = async (): Promise<boolean> => {
      const events = await lena.call('listEvents', { query: { after: nextCursor } });
      return events.items.some(({ kind, grantId }) => kind === 'grant.break_glass' && grantId === grant.id);
    };
    while (!(await isTold()));
    const { items } = await world.client('aude').call('listAudit', { query: { grantId: grant.id } });
    const row = items.find(({ event }) => event === 'grant.break_glass');
    assert.equal(row?.actor?.sub, PEOPLE.ana.sub);
    assert.deepEqual([row.detail['ticket'], row.detail['purpose']], ['INC-7', 'The ranker answers nonsense']);

    assert.deepEqual(await toReview('lena'), [grant.id]);
    assert.deepEqual(await toReview('ana'), []);
    assert.deepEqual(await toReview('omar'), []);
    await refused(review(grant.id, 'ana'), 'own_request');
    await refused(review(grant.id, 'omar'), 'not_found');
    await refused(review(grant.id, 'aude'), 'not_allowed');

    const reviewed = await review(grant.id);
    assert.deepEqual(
      [reviewed.state, reviewed.review?.state, reviewed.review?.reviewer?.sub, reviewed.review?.comment],
      ['active', 'ok', PEOPLE.lena.sub, 'Agreed on the phone'],
    );
    await refused(review(grant.id, 'lena', 'misuse'), 'already_decided');
    assert.deepEqual(await toReview('lena'), []);
  });

  it('is for those whom policy lets, with a reason why not', async () => {
    const problem = await refused(breakGlass({ ticket: undefined }), 'refused_by_policy');
    assert.match(problem.explanation?.join(' ') ?? '', /own-roles-in-an-emergency.*ticket/);
    await refused(breakGlass({ minutes: 90 }), 'refused_by_policy');
    await refused(breakGlass({ roleId: 'recsys-deployer' }), 'refused_by_policy');
    await refused(breakGlass({}, 'aude'), 'refused_by_policy');
    await refused(breakGlass({}, 'omar'), 'unknown_role');
    const startsAt = new Date((await world.store.nowMs()) + HOUR_MS).toISOString();
    await refused(breakGlass({ startsAt }), 'bad_request');
    assert.deepEqual(world.databricks.members(GROUP), []);
    const { items } = await world.client('ana').call('listRoles');
    assert.deepEqual(
      items.filter((role) => role.breakGlass).map(({ id }) => id),
      ['recsys-endpoint-query', ROLE],
    );
  });

  it('does not wait for a request that waits: it takes its place', async () => {
    const waiting = await world.ask('ana', ROLE);
    assert.equal(waiting.state, 'pending');
    await world.until(grantOf(await breakGlass()), 'active');
    const ana = world.client('ana');
    assert.equal((await ana.call('getRequest', { params: { id: waiting.id } })).state, 'cancelled');
    await refused(breakGlass(), 'already_held');
  });

  it('is reviewed after its end as well, and an alarm when nobody does in time', async () => {
    const id = grantOf(await breakGlass());
    await world.until(id, 'active');
    assert.deepEqual(
      [await metric('oam_break_glass_unreviewed'), await metric('oam_break_glass_overdue')],
      [1, 0],
    );
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
    await world.store.advance(25 * HOUR_MS);
    assert.deepEqual(await toReview('lena'), [id]);
    assert.equal(await metric('oam_break_glass_overdue'), 1);
    const reviewed = await review(id, 'lena', 'misuse');
    assert.deepEqual([reviewed.state, reviewed.review?.state], ['ended', 'misuse']);
    assert.deepEqual(
      [await metric('oam_break_glass_unreviewed'), await metric('oam_break_glass_overdue')],
      [0, 0],
    );
  });

  it('is no way to pass the approval of an extension: what is kept is approved, or taken again in an emergency', async () => {
    const first = grantOf(await breakGlass());
    await world.until(first, 'active');
    const ana = world.client('ana');
    const pending = await ana.call('extendGrant', { params: { id: first }, body: { minutes: 10 } });
    assert.equal(pending.state, 'pending');
    await ana.call('cancelRequest', { params: { id: pending.id } });
    const again = await ana.call('extendGrant', {
      params: { id: first },
      body: { minutes: 10, breakGlass: true },
    });
    const second = await ana.call('getGrant', { params: { id: grantOf(again) } });
    assert.deepEqual([second.extends, second.review?.state], [first, 'pending']);
    assert.deepEqual((await toReview('lena')).sort(), [first, second.id].sort());
    // An hour in a row at most, whatever the steps.
    await refused(
      ana.call('extendGrant', { params: { id: second.id }, body: { minutes: 30, breakGlass: true } }),
      'refused_by_policy',
    );
    await refused(review(grantOf(await world.ask('ana', 'recsys-endpoint-query'))), 'bad_request');
  });

  it('is for the holder alone: a lead who took it for somebody could review it themselves', async () => {
    const first = grantOf(await breakGlass({ minutes: 20 }));
    await world.until(first, 'active');
    const extend = (name: Name, emergency: boolean) =>
      world.client(name).call('extendGrant', {
        params: { id: first },
        body: { minutes: 10, ...(emergency && { breakGlass: true }) },
      });
    await refused(extend('lena', true), 'not_allowed');
    const approved = await extend('lena', false);
    assert.deepEqual([approved.state, approved.breakGlass], ['approved', false]);
  });

  it('is reviewed once, however many look at it at the same time', async () => {
    const id = grantOf(await breakGlass());
    const outcomes = await Promise.allSettled([review(id), review(id, 'lena', 'misuse'), review(id)]);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });
});
