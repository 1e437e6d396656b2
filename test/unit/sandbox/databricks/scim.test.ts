import assert from 'node:assert/strict';

import fc from 'fast-check';

import { requestClientCredentials } from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { Memberships } from '../../../../src/sandbox/databricks/account/memberships.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import {
  ANA,
  call,
  clientOf,
  FakeClock,
  OMAR,
  serviceClientOf,
  startStandIn,
  tokenOf,
  transport,
} from './stand-in.ts';

const { endpointQuery } = SEED.jitGroups;
const { ana, omar } = SEED.users;
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const ENDPOINT = SEED.assets.endpoint.name;

/** The account names its endpoints below its id, where a workspace client does not look. */
const accountTransport: typeof transport = (request) =>
  transport({
    ...request,
    url: request.url.replace('/oidc/.well-known/', `/oidc/accounts/${SEED.accountId}/.well-known/`),
  });

describe('stand-in: group membership over SCIM', () => {
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;
  let coreToken: string;

  beforeEach(async () => {
    ({ standIn, clock } = await startStandIn());
    coreToken = await tokenOf(standIn, clock, standIn.coreCredentials);
  });

  afterEach(() => standIn.close());

  const proxy = (groupId: string): string =>
    `${standIn.workspaces.prod.host}/api/2.0/account/scim/v2/Groups/${groupId}`;

  const patch = async (operation: object, groupId: string = endpointQuery.id, token = coreToken) => {
    clock.advance(1_000);
    return call('PATCH', proxy(groupId), token, { schemas: [PATCH_OP], Operations: [operation] });
  };

  const query = (userName: string) =>
    call(
      'POST',
      `${standIn.workspaces.prod.host}/serving-endpoints/${ENDPOINT}/invocations`,
      standIn.personalAccessToken('prod', userName),
      { dataframe_records: [{ user: 1, item: 2 }] },
    );

  it('gives and takes a right with a membership, also from a token that lives on', async () => {
    const token = standIn.personalAccessToken('prod', ANA.userName);
    const ask = () =>
      call('POST', `${standIn.workspaces.prod.host}/serving-endpoints/${ENDPOINT}/invocations`, token, {
        dataframe_records: [{ user: 1, item: 2 }],
      });
    const refused = await ask();
    assert.equal(refused.status, 403);
    assert.equal(refused.json['error_code'], 'PERMISSION_DENIED');

    const core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
    await core.addGroupMembers(endpointQuery.id, [ana.id]);
    const answered = await ask();
    assert.equal(answered.status, 200);
    assert.ok(Array.isArray(answered.json['predictions']));
    assert.equal((await query(OMAR.userName)).status, 403);

    clock.advance(1_000);
    await core.removeGroupMembers(endpointQuery.id, [ana.id]);
    assert.equal((await ask()).status, 403);
  });

  it('takes adding who is in, and removing who is out, as done', async () => {
    for (const op of ['add', 'add']) {
      assert.equal((await patch({ op, path: 'members', value: [{ value: ana.id }] })).status, 204);
    }
    assert.deepEqual(standIn.members(endpointQuery.id), [ana.id]);
    for (let times = 0; times < 2; times++) {
      const removed = await patch({ op: 'remove', path: `members[value eq "${ana.id}"]` });
      assert.equal(removed.status, 204);
    }
    assert.deepEqual(standIn.members(endpointQuery.id), []);
  });

  it('removes everybody when a removal names no member: the trap of the bare path', async () => {
    await patch({ op: 'add', path: 'members', value: [{ value: ana.id }, { value: omar.id }] });
    await patch({ op: 'remove', path: 'members', value: [{ value: ana.id }] });
    assert.deepEqual(standIn.members(endpointQuery.id), []);
  });

  it('refuses a scalar value as unparsable', async () => {
    const answer = await patch({ op: 'add', path: 'members', value: ana.id });
    assert.equal(answer.status, 400);
    assert.equal(answer.json['scimType'], 'invalidSyntax');
    assert.deepEqual(standIn.members(endpointQuery.id), []);
  });

  it('refuses a body without the PatchOp schema, and a path that it does not know', async () => {
    const bare = await call('PATCH', proxy(endpointQuery.id), coreToken, {
      Operations: [{ op: 'add', path: 'members', value: [{ value: ana.id }] }],
    });
    assert.equal(bare.json['scimType'], 'invalidSyntax');
    assert.equal((await patch({ op: 'remove', path: 'displayName' })).json['scimType'], 'invalidPath');
  });

  it('changes nothing when one of several operations is wrong', async () => {
    clock.advance(1_000);
    const answer = await call('PATCH', proxy(endpointQuery.id), coreToken, {
      schemas: [PATCH_OP],
      Operations: [
        { op: 'add', path: 'members', value: [{ value: ana.id }] },
        { op: 'add', path: 'members', value: [{ value: '424242' }] },
      ],
    });
    assert.equal(answer.status, 404);
    assert.deepEqual(standIn.members(endpointQuery.id), []);
  });

  it("refuses a write to an account group through the workspace's own SCIM", async () => {
    const url = `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Groups/${endpointQuery.id}`;
    assert.equal((await call('GET', url, coreToken)).status, 200);
    const answer = await call('PATCH', url, coreToken, {
      schemas: [PATCH_OP],
      Operations: [{ op: 'add', path: 'members', value: [{ value: ana.id }] }],
    });
    assert.equal(answer.status, 404);
    assert.deepEqual(standIn.members(endpointQuery.id), []);
  });

  it("lets a group's manager write through the proxy only, and to that group only", async () => {
    const add = { op: 'add', path: 'members', value: [{ value: ana.id }] };
    const anaToken = standIn.personalAccessToken('prod', ANA.userName);
    assert.equal((await patch(add, endpointQuery.id, anaToken)).status, 403);
    assert.equal((await patch(add, SEED.groups.recsysLeads.id)).status, 403);
    const accountUrl = `${standIn.account.host}/api/2.0/accounts/${SEED.accountId}/scim/v2/Groups/${endpointQuery.id}`;
    const accountAnswer = await call('PATCH', accountUrl, coreToken, {
      schemas: [PATCH_OP],
      Operations: [add],
    });
    assert.equal(accountAnswer.status, 403);
    assert.equal((await patch({ ...add }, '4711')).status, 404);
    assert.deepEqual(standIn.members(endpointQuery.id), []);
  });

  it('keeps the members of a group that the identity provider owns, even from the administrator', async () => {
    const admin = await tokenOf(standIn, clock, standIn.adminCredentials);
    const answer = await patch(
      { op: 'remove', path: `members[value eq "${ana.id}"]` },
      SEED.groups.recsys.id,
      admin,
    );
    assert.equal(answer.status, 403);
    assert.ok(standIn.members(SEED.groups.recsys.id).includes(ana.id));
  });

  it('shows a membership, and lets it count, only after the lag', async () => {
    standIn.tune({ membershipLagMs: 5_000 });
    const core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
    await core.addGroupMembers(endpointQuery.id, [ana.id]);
    assert.deepEqual(standIn.members(endpointQuery.id), [ana.id]);
    assert.deepEqual((await core.group(endpointQuery.id)).members, []);
    assert.equal((await query(ANA.userName)).status, 403);
    clock.advance(5_000);
    assert.deepEqual(
      (await core.group(endpointQuery.id)).members.map((member) => member.value),
      [ana.id],
    );
    assert.equal((await query(ANA.userName)).status, 200);
  });

  it('answers a third write within a second with 429 and a time to wait', async () => {
    const body = {
      schemas: [PATCH_OP],
      Operations: [{ op: 'add', path: 'members', value: [{ value: ana.id }] }],
    };
    for (let times = 0; times < 2; times++) {
      assert.equal((await call('PATCH', proxy(endpointQuery.id), coreToken, body)).status, 204);
    }
    const third = await call('PATCH', proxy(endpointQuery.id), coreToken, body);
    assert.equal(third.status, 429);
    assert.equal(third.headers['retry-after'], '1');
    clock.advance(1_000);
    assert.equal((await call('PATCH', proxy(endpointQuery.id), coreToken, body)).status, 204);
  });

  it('finds people by filter, page by page, and refuses a filter that it cannot read', async () => {
    const users = `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Users`;
    const found = await call(
      'GET',
      `${users}?filter=${encodeURIComponent('externalId eq "00u-ana"')}`,
      coreToken,
    );
    assert.equal(found.json['totalResults'], 1);
    const page = await call('GET', `${users}?startIndex=2&count=1`, coreToken);
    assert.equal(page.json['itemsPerPage'], 1);
    const odd = await call(
      'GET',
      `${users}?filter=${encodeURIComponent('a eq "b" and c eq "d"')}`,
      coreToken,
    );
    assert.equal(odd.json['scimType'], 'invalidFilter');
  });

  it("finds a user by the identity provider's subject", async () => {
    const core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
    assert.deepEqual(await core.resolveUserByExternalId(ANA.sub), { id: ana.id, userName: ANA.userName });
    await assert.rejects(core.resolveUserByExternalId('nobody'), (error) =>
      hasCode(error, 'databricks_not_found'),
    );
  });

  it('finds a user by the name that the account itself gives', async () => {
    const core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
    assert.deepEqual(await core.userIdsNamed(ANA.userName), [ana.id]);
    assert.deepEqual(await core.userIdsNamed('nobody@example.com'), []);
    assert.deepEqual(await core.userIdsNamed(ANA.displayName), []);
  });

  it('ends the tokens of somebody who is deactivated, until they are active again', async () => {
    const { accessToken } = await requestClientCredentials({
      host: `${standIn.account.host}`,
      clientId: standIn.adminCredentials.applicationId,
      clientSecret: standIn.adminCredentials.secret,
      transport: accountTransport,
      clock,
    });
    const token = standIn.personalAccessToken('prod', ANA.userName);
    const me = `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`;
    const activate = (value: unknown, as: string) =>
      call(
        'PATCH',
        `${standIn.account.host}/api/2.0/accounts/${SEED.accountId}/scim/v2/Users/${ana.id}`,
        as,
        {
          schemas: [PATCH_OP],
          Operations: [{ op: 'replace', path: 'active', value }],
        },
      );
    assert.equal((await activate('no', accessToken)).status, 400);
    clock.advance(1_000);
    assert.equal((await activate(false, accessToken)).status, 204);
    assert.equal((await call('GET', me, token)).status, 403);
    await activate(true, accessToken);
    assert.equal((await call('GET', me, token)).status, 200);
  });

  it('shows a person the groups they are in, and what they are in through them', async () => {
    const { groups } = await clientOf(standIn, ANA.userName).me();
    assert.deepEqual(groups.map((group) => group.name).sort(), ['ml-recsys', 'users']);
  });

  it('guards the list of a group’s managers by its etag', async () => {
    const admin = await tokenOf(standIn, clock, standIn.adminCredentials);
    const name = `accounts/${SEED.accountId}/groups/${endpointQuery.id}/ruleSets/default`;
    const url = `${standIn.workspaces.prod.host}/api/2.0/preview/accounts/access-control/rule-sets`;
    const seen = await call('GET', `${url}?name=${encodeURIComponent(name)}&etag=`, admin);
    const replace = (etag: unknown) =>
      call('PUT', url, admin, { name, rule_set: { name, etag, grant_rules: [] } });
    assert.equal((await replace(seen.json['etag'])).status, 200);
    const stale = await replace(seen.json['etag']);
    assert.equal(stale.status, 409);
    assert.equal(stale.json['error_code'], 'RESOURCE_CONFLICT');
    const add = { op: 'add', path: 'members', value: [{ value: ana.id }] };
    assert.equal((await patch(add)).status, 403);
  });
});

describe('stand-in: lagging memberships', () => {
  it('shows in the end exactly what was written, in order, whatever the lag was at each write', () => {
    const write = fc.record({
      memberId: fc.constantFrom('1', '2', '3'),
      present: fc.boolean(),
      lagMs: fc.nat(5_000),
      waitMs: fc.nat(3_000),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 30 }), (writes) => {
        const clock = new FakeClock();
        const memberships = new Memberships(clock);
        const truth = new Set<string>();
        for (const { memberId, present, lagMs, waitMs } of writes) {
          memberships.lagMs = lagMs;
          memberships.write('g', memberId, present);
          if (present) truth.add(memberId);
          else truth.delete(memberId);
          assert.deepEqual([...memberships.written('g')].sort(), [...truth].sort());
          clock.advance(waitMs);
        }
        clock.advance(5_000);
        assert.deepEqual([...memberships.visible('g')].sort(), [...truth].sort());
      }),
    );
  });
});
