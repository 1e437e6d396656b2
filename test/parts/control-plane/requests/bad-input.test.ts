import assert from 'node:assert/strict';

import { Problem, type ProblemCode } from '../../../../src/protocol/problem.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-endpoint-query';

describe('a request with bad input', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const BAD: readonly (readonly [string, object, ProblemCode])[] = [
    ['a role that does not exist', { roleId: 'no-such-role' }, 'unknown_role'],
    ["another team's role", { roleId: 'platform-cluster-operator' }, 'unknown_role'],
    ['a window of 0 minutes', { minutes: 0 }, 'window_too_short'],
    ['a window in the past', { minutes: -5 }, 'window_too_short'],
    ['a window of 400 days', { minutes: 400 * 24 * 60 }, 'window_too_long'],
    ["a window beyond the role's own limit", { minutes: 481 }, 'window_too_long'],
    ['a part of a minute', { minutes: 1.5 }, 'bad_request'],
    ['no purpose', { purpose: '' }, 'purpose_missing'],
    ['a purpose of white space', { purpose: ' \n\t ' }, 'purpose_missing'],
    ['a purpose of 10 000 characters', { purpose: 'x'.repeat(10_000) }, 'purpose_too_long'],
    ['a purpose with the character NUL', { purpose: 'a\u0000b' }, 'bad_request'],
    ['a purpose with half a character', { purpose: 'a\ud800b' }, 'bad_request'],
    ['a role with the character NUL', { roleId: 'a\u0000b' }, 'bad_request'],
    ['a purpose that is no text', { purpose: 7 }, 'bad_request'],
    ['no role', { roleId: '' }, 'bad_request'],
  ];

  const refusals = async () => {
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    return items.filter((row) => row.event === 'request.refused');
  };

  for (const [what, change, code] of BAD) {
    it(`refuses ${what}, says what to do, records it and grants nothing`, async () => {
      const before = await refusals();
      const answer = await world.http({
        method: 'POST',
        path: '/api/v1/requests',
        headers: {
          authorization: `Bearer ${await world.token('ana')}`,
          'content-type': 'application/json',
          'idempotency-key': `bad ${what}`.replaceAll(' ', '-'),
        },
        body: JSON.stringify({ roleId: ROLE, purpose: 'Look into it', minutes: 5, ...change }),
      });
      assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
      const problem = Problem.parse(JSON.parse(answer.text));
      assert.equal(problem.code, code);
      assert.equal(problem.status, answer.status);
      assert.equal(problem.type, `urn:oam:problem:${code}`);
      assert.match(problem.detail, /^[A-Z].*\./, 'no sentence');
      const after = await refusals();
      const [row] = after;
      assert.equal(after.length, before.length + 1);
      assert.equal(row?.detail['code'], code);
      assert.equal(row?.actor?.sub, PEOPLE.ana.sub);
      assert.deepEqual((await world.client('ana').call('listRequests')).items, []);
      assert.deepEqual((await world.client('ana').call('listGrants')).items, []);
    });
  }

  it('explains a refusal by policy', async () => {
    const problem = await refused(
      world.client('aude').call('createRequest', { body: { roleId: ROLE, purpose: 'Curious', minutes: 5 } }),
      'refused_by_policy',
    );
    assert.ok((problem.explanation ?? []).length > 0);
    assert.equal((await refusals())[0]?.detail['code'], 'refused_by_policy');
  });

  const post = async (headers: Record<string, string>, body: string): Promise<Problem> => {
    const answer = await world.http({
      method: 'POST',
      path: '/api/v1/requests',
      headers: { authorization: `Bearer ${await world.token('ana')}`, ...headers },
      body,
    });
    const problem = Problem.parse(JSON.parse(answer.text));
    assert.equal(problem.status, answer.status);
    return problem;
  };
  const json = { 'content-type': 'application/json', 'idempotency-key': 'k' };

  it('refuses what is no JSON, too much, or without a key', async () => {
    assert.equal((await post(json, '{"roleId":')).code, 'bad_request');
    assert.equal(
      (await post({ ...json, 'content-type': 'text/plain' }, 'hello')).code,
      'unsupported_media_type',
    );
    assert.equal((await post(json, JSON.stringify({ purpose: 'x'.repeat(100_000) }))).code, 'body_too_large');
    const whole = JSON.stringify({ roleId: ROLE, purpose: 'why', minutes: 5 });
    assert.equal((await post({ 'content-type': 'application/json' }, whole)).code, 'idempotency_key_missing');
    assert.equal((await post({ ...json, 'idempotency-key': 'a b' }, whole)).code, 'bad_request');
  });

  it('refuses addresses, ids and cursors that are none of ours', async () => {
    const auditor = world.client('aude');
    await refused(auditor.call('getRequest', { params: { id: 'nonsense' } }), 'not_found');
    await refused(auditor.call('getGrant', { params: { id: "' or 1=1" } }), 'not_found');
    await refused(auditor.call('listRequests', { query: { cursor: 'nonsense' } }), 'bad_request');
    await refused(auditor.call('listEvents', { query: { after: 'nonsense' } }), 'bad_request');
    await refused(auditor.call('listGrants', { query: { limit: 201 } }), 'bad_request');
    const lost = await world.http({ method: 'GET', path: '/api/v1/nothing' });
    assert.equal(Problem.parse(JSON.parse(lost.text)).code, 'not_found');
  });
});

describe('the second click', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const body = { roleId: ROLE, purpose: 'Look into it', minutes: 5 };

  it('with the same key is given the first answer, however close they come', async () => {
    const ana = world.client('ana');
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => ana.call('createRequest', { body, idempotencyKey: 'one-click' })),
    );
    assert.equal(new Set(answers.map((answer) => answer.id)).size, 1);
    assert.equal((await ana.call('listRequests')).items.length, 1);
    assert.equal((await ana.call('listGrants')).items.length, 1);
    await refused(
      ana.call('createRequest', { body: { ...body, minutes: 6 }, idempotencyKey: 'one-click' }),
      'idempotency_key_reused',
    );
    await refused(ana.call('createRequest', { body }), 'already_held');
  });

  it('with another key finds the request that waits, however close they come', async () => {
    const ana = world.client('ana');
    const wish = { ...body, roleId: 'recsys-model-promote' };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, () => ana.call('createRequest', { body: wish })),
    );
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    const problem = await refused(ana.call('createRequest', { body: wish }), 'already_requested');
    assert.match(problem.detail, /request [0-9a-f-]{36}/);
    const { items } = await ana.call('listRequests');
    assert.equal(items.filter((request) => request.role.id === wish.roleId).length, 1);
  });

  it('on a role that is granted at once has one effect with different keys, too', async () => {
    const omar = world.client('omar');
    const wish = { ...body, roleId: 'platform-cluster-operator' };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, () => omar.call('createRequest', { body: wish })),
    );
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    assert.equal((await omar.call('listGrants')).items.length, 1);
  });
});
