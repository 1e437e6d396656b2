import assert from 'node:assert/strict';

import { createWorkspaceClient, MEMBERS_AT_ONCE, type RetryPolicy } from '../../../src/databricks/index.ts';
import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import type { HttpRequest, HttpResponse } from '../../../src/protocol/transport.ts';

type Answer = Partial<HttpResponse> | ((request: HttpRequest) => Partial<HttpResponse>);

/** A client over answers given one after the other; the last one is repeated. */
function clientOver(answers: readonly Answer[], retry: RetryPolicy = 'never') {
  const sent: HttpRequest[] = [];
  let tokens = 0;
  const client = createWorkspaceClient({
    host: 'https://w.cloud.databricks.com/',
    token: () => Promise.resolve(`token-${++tokens}`),
    transport: (request) => {
      const answer = answers[Math.min(sent.length, answers.length - 1)] ?? {};
      sent.push(request);
      const given = typeof answer === 'function' ? answer(request) : answer;
      return Promise.resolve({ status: 200, headers: {}, text: '{}', ...given });
    },
    retry,
  });
  return { client, sent };
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Partial<HttpResponse> => ({
  status,
  headers,
  text: JSON.stringify(body),
});

/** A policy that remembers how long it waited and does not wait. */
function patient(giveUpAfterMs = 60_000) {
  const waits: number[] = [];
  return {
    waits,
    policy: {
      giveUpAfterMs,
      wait: (ms: number) => {
        waits.push(ms);
        return Promise.resolve();
      },
    },
  };
}

const throttled = json({ error_code: 'REQUEST_LIMIT_EXCEEDED', message: 'slow' }, 429, {
  'retry-after': '3',
});

describe('workspace client', () => {
  it('reads a list to its end, through empty pages', async () => {
    const model = { name: 'm', catalog_name: 'c', schema_name: 's' };
    const { client, sent } = clientOver([
      json({ next_page_token: 'two' }),
      json({ registered_models: [model], next_page_token: 'three' }),
      json({ registered_models: [] }),
    ]);
    assert.deepEqual(
      (await client.models()).map((each) => each.fullName),
      ['c.s.m'],
    );
    assert.match(sent[2]?.url ?? '', /page_token=three/);
    assert.match(sent[0]?.url ?? '', /max_results=0/);
  });

  it('gives up on a list without an end', async () => {
    const { client } = clientOver([json({ next_page_token: 'again' })]);
    await assert.rejects(client.jobs(), (error) => hasCode(error, 'databricks_unexpected_answer'));
  });

  it('waits as long as Databricks asks, takes a fresh token, and tries again', async () => {
    const { waits, policy } = patient();
    const { client, sent } = clientOver([throttled, throttled, json({ endpoints: [] })], policy);
    assert.deepEqual(await client.servingEndpoints(), []);
    assert.deepEqual(waits, [3_000, 3_000]);
    assert.deepEqual(
      sent.map((request) => request.headers?.['authorization']),
      ['Bearer token-1', 'Bearer token-2', 'Bearer token-3'],
    );
  });

  it('backs off by itself where Databricks does not say how long', async () => {
    const { waits, policy } = patient();
    const unavailable = json({}, 503);
    const { client } = clientOver([unavailable, unavailable, unavailable, json({})], policy);
    await client.clusters();
    assert.deepEqual(waits, [1_000, 2_000, 3_000]);
  });

  it('gives up when the waiting would last longer than it may', async () => {
    const { waits, policy } = patient(5_000);
    const { client } = clientOver([throttled], policy);
    await assert.rejects(client.me(), (error) => hasCode(error, 'databricks_throttled'));
    assert.deepEqual(waits, [3_000]);
  });

  it("never waits for callers with a schedule of their own, nor for what waiting doesn't mend", async () => {
    const never = clientOver([throttled]);
    await assert.rejects(never.client.me(), (error) => hasCode(error, 'databricks_throttled'));
    assert.equal(never.sent.length, 1);
    const { waits, policy } = patient();
    const denied = clientOver([json({ error_code: 'PERMISSION_DENIED', message: 'no' }, 403)], policy);
    await assert.rejects(denied.client.me(), (error) => hasCode(error, 'databricks_permission_denied'));
    assert.deepEqual(waits, []);
  });

  it('stops waiting when it is called off', async () => {
    const abort = new AbortController();
    const { client } = clientOver([throttled], { giveUpAfterMs: 60_000 });
    const call = client.me({ signal: abort.signal });
    setImmediate(() => {
      abort.abort();
    });
    await assert.rejects(call, CancelledError);
  });

  it('adds and removes a member in the only form that is safe', async () => {
    const { client, sent } = clientOver([{ status: 204, text: '' }]);
    await client.addGroupMembers('9101', ['7001'], { userAgentSuffix: 'grant/5' });
    await client.removeGroupMembers('9101', ['7001']);
    const operations = sent.map((request): unknown => JSON.parse(request.body ?? ''));
    const schemas = ['urn:ietf:params:scim:api:messages:2.0:PatchOp'];
    assert.deepEqual(operations, [
      { schemas, Operations: [{ op: 'add', path: 'members', value: [{ value: '7001' }] }] },
      { schemas, Operations: [{ op: 'remove', path: 'members[value eq "7001"]' }] },
    ]);
    assert.equal(sent[0]?.url, 'https://w.cloud.databricks.com/api/2.0/account/scim/v2/Groups/9101');
    assert.match(sent[0].headers?.['user-agent'] ?? '', / grant\/5$/);
  });

  it('lets no id reach into the filter of a removal', async () => {
    const { client, sent } = clientOver([{}]);
    for (const id of ['7001" or value ne "', '', '*', '70 01']) {
      await assert.rejects(client.removeGroupMembers('9101', ['7001', id]), (error) =>
        hasCode(error, 'principal_id_malformed'),
      );
    }
    assert.equal(sent.length, 0);
  });

  it('changes many members in one call, and not more than are safe', async () => {
    const { client, sent } = clientOver([{ status: 204, text: '' }]);
    const ids = Array.from({ length: MEMBERS_AT_ONCE + 1 }, (_, index) => String(7_000 + index));
    await client.removeGroupMembers('9101', ids.slice(1));
    const body = JSON.parse(sent[0]?.body ?? '') as { Operations: { path: string }[] };
    assert.deepEqual(
      body.Operations.map(({ path }) => path),
      ids.slice(1).map((id) => `members[value eq "${id}"]`),
    );
    await assert.rejects(client.removeGroupMembers('9101', ids), RangeError);
    await assert.rejects(client.addGroupMembers('9101', []), RangeError);
    assert.equal(sent.length, 1);
  });

  it('finds groups by name, whatever the name is, and the account of a host', async () => {
    const { client, sent } = clientOver([
      json({ Resources: [{ id: '9101' }], totalResults: 1 }),
      json({ totalResults: 0 }),
      json({ account_id: 'a-1', workspace_id: '4' }),
      json({}),
    ]);
    assert.deepEqual(await client.groupIdsNamed('say "jit"'), ['9101']);
    assert.equal(new URL(sent[0]?.url ?? '').searchParams.get('filter'), 'displayName eq "say \\"jit\\""');
    assert.deepEqual(await client.groupIdsNamed('none'), []);
    assert.equal(await client.accountId(), 'a-1');
    assert.equal(await client.accountId(), undefined);
  });

  it('lets no name reach into another path', async () => {
    const { client, sent } = clientOver([json({})]);
    await client.servingEndpointLevel('../jobs?x');
    assert.equal(sent[0]?.url, 'https://w.cloud.databricks.com/api/2.0/serving-endpoints/..%2Fjobs%3Fx');
  });

  it('takes an endpoint without an id, a group without members, numbers as digits', async () => {
    const endpoints = clientOver([json({ endpoints: [{ name: 'databricks-gpt' }] })]);
    assert.equal((await endpoints.client.servingEndpoints())[0]?.id, undefined);
    const group = clientOver([json({ id: '1', displayName: 'g' })]);
    assert.deepEqual((await group.client.group('1')).members, []);
    const experiments = clientOver([
      json({ experiments: [{ experiment_id: '1', name: 'e', last_update_time: '1700000000000' }] }),
    ]);
    assert.equal((await experiments.client.experiments())[0]?.lastUpdatedAtMs, 1_700_000_000_000);
  });

  for (const [what, answer] of Object.entries({
    'is not JSON': { text: '<html></html>' },
    'is of another shape': json({ id: 7 }),
  })) {
    it(`says that this is not Databricks when the answer ${what}`, async () => {
      const { client } = clientOver([answer]);
      await assert.rejects(client.me(), (error) => hasCode(error, 'databricks_unexpected_answer'));
    });
  }
});
