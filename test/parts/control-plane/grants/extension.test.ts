import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { roleTokenSource } from '../../../../src/broker/index.ts';
import type { RequestFacts } from '../../../../src/control-plane/policy/facts.ts';
import type { PolicyVersion } from '../../../../src/control-plane/policy/version.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { GrantView, RequestView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, type Name, refused, startWorld, type World } from '../world.ts';
import { withRole } from '../changed-role.ts';

const AT_ONCE = 'recsys-endpoint-query';
const APPROVED = 'recsys-model-promote';
const FEDERATED = 'recsys-deployer';
const { endpointQuery, modelPromote, deployer } = SEED.jitGroups;

describe('an extension', function () {
  this.timeout(20_000);
  let world: World;
  let asked: RequestFacts[];
  const listening = (policy: PolicyVersion): PolicyVersion => ({
    ...policy,
    decideRequest(facts) {
      asked.push(facts);
      return policy.decideRequest(facts);
    },
  });
  beforeEach(async () => {
    asked = [];
    world = await startWorld({ adjustPolicy: listening });
  });
  afterEach(() => world.close());

  const active = async (roleId = AT_ONCE, minutes = 60): Promise<GrantView> => {
    const request = await world.ask('ana', roleId, minutes);
    const approved = request.state === 'pending' ? await approve(request) : request;
    return world.until(grantOf(approved), 'active');
  };

  const approve = (request: RequestView, name: Name = 'lena'): Promise<RequestView> =>
    world
      .client(name)
      .call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });

  const extend = (grant: GrantView, minutes?: number, name: Name = 'ana'): Promise<RequestView> =>
    world.client(name).call('extendGrant', {
      params: { id: grant.id },
      body: minutes === undefined ? {} : { minutes },
    });

  const grantById = (id: string): Promise<GrantView> =>
    world.client('aude').call('getGrant', { params: { id } });

  const endMs = (grant: GrantView): number => Date.parse(grant.endsAt ?? '');

  it('lets a second grant follow the first in one moment, with the membership untouched', async () => {
    const first = await active();
    await world.store.advance(40 * MINUTE_MS);
    const writesBefore = world.databricks.requests().filter(isWrite).length;
    const request = await extend(first, 50);
    assert.deepEqual(
      [request.state, request.extends, request.purpose],
      ['approved', first.id, first.purpose],
    );
    const second = await grantById(grantOf(request));
    assert.equal(second.state, 'active');
    assert.deepEqual(
      [second.extends, second.chainId, second.heldSince],
      [first.id, first.id, first.activatedAt],
    );
    assert.equal(endMs(second), endMs(first) + 50 * MINUTE_MS);
    assert.equal(second.membershipPresentAt, first.membershipPresentAt);
    const ended = await grantById(first.id);
    assert.deepEqual(
      [ended.state, ended.endReason, ended.successor, ended.membershipAbsentAt],
      ['ended', 'extended', second.id, null],
    );

    await world.store.advance(30 * MINUTE_MS);
    await delay(150);
    assert.equal((await grantById(second.id)).state, 'active', 'past the end that the first one had');
    assert.deepEqual(world.databricks.members(endpointQuery.id), [SEED.users.ana.id]);
    assert.equal(world.databricks.requests().filter(isWrite).length, writesBefore, 'nothing was written');

    await world.store.advance(40 * MINUTE_MS);
    const over = await world.until(second.id, 'ended');
    assert.equal(over.endReason, 'expired');
    assert.ok(over.membershipAbsentAt);
    assert.deepEqual(world.databricks.members(endpointQuery.id), []);
    const { items } = await world.client('aude').call('listAudit', { query: { grantId: first.id } });
    const row = items.find(({ event }) => event === 'grant.extended');
    assert.equal(row?.detail['successor'], second.id);
  });

  it('is asked for with one click: the usual window as far as it fits, then no further', async () => {
    // 60 minutes at a time, 480 at most ahead, 1440 in a row.
    const first = await active(AT_ONCE, 450);
    const second = await grantById(grantOf(await extend(first)));
    assert.equal(second.minutes, 30, 'as much as can lie ahead');
    await refused(extend(second), 'window_too_long');
    await refused(extend(second, 1), 'window_too_long');
    await refused(extend(first), 'already_extended');
    let last = second;
    await world.store.advance(30_000);
    for (let window = 0; window < 2; window += 1) {
      await world.store.advance(479 * MINUTE_MS);
      last = await grantById(grantOf(await extend(last, 479)));
    }
    await world.store.advance(300 * MINUTE_MS);
    last = await grantById(grantOf(await extend(last)));
    assert.equal(last.minutes, 2, 'what is left of three windows in a row');
    const problem = await refused(extend(last), 'window_too_long');
    assert.match(problem.detail, /in one go.*by 0 minutes/);
  });

  it('is judged by policy on the whole time that the role would have been held', async () => {
    const first = await active(AT_ONCE, 60);
    const second = await grantById(grantOf(await extend(first, 30)));
    await extend(second, 15);
    const extensions = asked.filter(({ extension }) => extension).map(({ minutes }) => minutes);
    assert.deepEqual(extensions, [90, 105]);
    assert.ok(asked.filter(({ extension }) => !extension).every(({ minutes }) => minutes === 60));
  });

  it('needs the approval that the role needs, and ends unanswered with what it would have extended', async () => {
    const first = await active(APPROVED, 60);
    const request = await extend(first, 30);
    assert.equal(request.state, 'pending');
    assert.equal(request.lapsesAt, first.endsAt);
    await refused(extend(first, 10), 'already_requested');
    const second = await grantById(grantOf(await approve(request)));
    assert.equal(endMs(second), endMs(first) + 30 * MINUTE_MS);

    const unanswered = await extend(second, 30);
    await world.store.advance(90 * MINUTE_MS);
    await world.until(second.id, 'ended');
    const ana = world.client('ana');
    const lapsed = await ana.call('getRequest', { params: { id: unanswered.id } });
    assert.equal(lapsed.state, 'lapsed');
    await refused(approve(unanswered), 'precondition_failed');
    assert.deepEqual(world.databricks.members(modelPromote.id), []);
  });

  it('that waits is over when the access is returned or revoked', async () => {
    for (const end of ['returnGrant', 'revokeGrant'] as const) {
      const first = await active(APPROVED, 60);
      const request = await extend(first, 30);
      const params = { id: first.id };
      if (end === 'returnGrant') await world.client('ana').call('returnGrant', { params });
      else await world.client('lena').call('revokeGrant', { params, body: { reason: 'Enough' } });
      await assert.rejects(approve(request));
      await world.until(first.id, 'ended');
      const lapsed = await world.client('ana').call('getRequest', { params: { id: request.id } });
      assert.equal(lapsed.state, 'lapsed');
      assert.match(lapsed.because.join(' '), /has ended/);
    }
  });

  it('is ended by its chain: whoever returns or revokes the first grant ends the last one', async () => {
    const first = await active();
    const second = await grantById(grantOf(await extend(first, 10)));
    const third = await grantById(grantOf(await extend(second, 10)));
    await refused(
      world.client('lena').call('revokeGrant', {
        ...{ params: { id: first.id }, body: { reason: 'Incident' } },
        version: first.version,
      }),
      'precondition_failed',
    );
    const returned = await world.client('ana').call('returnGrant', { params: { id: first.id } });
    assert.equal(returned.id, third.id);
    assert.equal((await world.until(third.id, 'ended')).endReason, 'returned');
    assert.deepEqual(world.databricks.members(endpointQuery.id), []);
    await refused(world.client('ana').call('returnGrant', { params: { id: first.id } }), 'grant_not_active');
  });

  it('can be given by a lead of the team, whose word counts as the approval that it is', async () => {
    const first = await active(APPROVED, 60);
    await refused(extend(first, 10, 'omar'), 'not_found');
    await refused(extend(first, 10, 'aude'), 'not_allowed');
    const request = await extend(first, 10, 'lena');
    assert.equal(request.state, 'approved');
    assert.equal(request.requester.sub, PEOPLE.ana.sub);
    assert.deepEqual(
      request.approvals.map(({ approver, verdict }) => [approver.sub, verdict]),
      [[PEOPLE.lena.sub, 'approved']],
    );
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const created = items.find((row) => row.requestId === request.id && row.event === 'request.created');
    assert.equal(created?.actor?.sub, PEOPLE.lena.sub);
    const second = await grantById(grantOf(request));
    assert.equal(second.principal.sub, PEOPLE.ana.sub);
  });

  it('keeps a role that acts as somebody else on one path, and the end names the longest token', async () => {
    const first = await active(FEDERATED, 60);
    const source = roleTokenSource({
      ...{ grantId: first.id, client: world.client('ana'), redactor: createRedactor() },
    });
    const before = await source.token();
    const second = await grantById(grantOf(await extend(first, 20, 'lena')));
    const after = await source.token();
    assert.ok(after.expiresAtMs >= before.expiresAtMs);
    await refused(
      world.client('ana').call('issueCredential', { params: { id: first.id } }),
      'grant_not_active',
    );
    const third = await grantById(grantOf(await extend(second, 20, 'lena')));
    // No token was issued under the third grant: those of the earlier ones are what outlives it.
    const returned = await world.client('ana').call('returnGrant', { params: { id: third.id } });
    assert.ok(Math.abs(Date.parse(returned.outlives?.until ?? '') - after.expiresAtMs) <= 1_000);
    await assert.rejects(source.token(), { code: 'grant_ended' });
    await world.until(third.id, 'ended');
    assert.deepEqual(world.databricks.members(deployer.id), []);
  });

  it('is judged anew where the role changed, and impossible where the role gives something else', async () => {
    const first = await active(APPROVED, 60);
    const request = await extend(first, 10);
    await world.restart(withRole(APPROVED, { gives: 'Everything' }));
    await refused(approve(request), 'precondition_failed');
    const reopened = await world.client('ana').call('getRequest', { params: { id: request.id } });
    const second = await grantById(grantOf(await approve(reopened)));
    assert.equal(second.extends, first.id);

    const pending = await extend(second, 10);
    await world.restart(withRole(APPROVED, { group: { id: '9109', name: 'another' } }));
    await refused(approve(pending), 'precondition_failed');
    const refusedNow = await world.client('ana').call('getRequest', { params: { id: pending.id } });
    assert.equal(refusedNow.state, 'denied');
    await refused(extend(second, 10), 'role_unavailable');
  });
});

function isWrite({ method, path }: { readonly method: string; readonly path: string }): boolean {
  return method === 'PATCH' && path.includes('/Groups/');
}
