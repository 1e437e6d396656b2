import assert from 'node:assert/strict';

import {
  createWorkspaceClient,
  exchangeSubjectToken,
  hostTrust,
  type WorkspaceClient,
} from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import {
  accountTokenOf,
  ANA,
  AUDIENCE,
  call,
  clientOf,
  type FakeClock,
  serviceClientOf,
  startIssuer,
  startStandIn,
  type TestIssuer,
  transport,
} from './stand-in.ts';

const { endpointQuery, modelPromote } = SEED.jitGroups;
const { endpoint } = SEED.assets;

describe('stand-in: role assumption', () => {
  let idp: TestIssuer;
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;
  let core: WorkspaceClient;

  beforeEach(async () => {
    idp = await startIssuer();
    ({ standIn, clock } = await startStandIn({ identityProvider: { issuer: idp.url, audience: AUDIENCE } }));
    core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
  });
  afterEach(() => Promise.all([standIn.close(), idp.close()]));

  const assume = async (assumeGroup: string): Promise<string> => {
    const { host } = standIn.workspaces.prod;
    const token = await exchangeSubjectToken({
      host,
      subjectToken: await idp.sign({
        sub: ANA.sub,
        email: ANA.userName,
        aud: AUDIENCE,
        exp: Math.floor(clock.nowMs() / 1_000) + 300,
      }),
      assumeGroup,
      trust: hostTrust([host]),
      transport,
      clock,
    });
    return token.accessToken;
  };

  const clientWith = (token: string): WorkspaceClient =>
    createWorkspaceClient({
      host: standIn.workspaces.prod.host,
      token: () => Promise.resolve(token),
      transport,
      retry: 'never',
    });

  const query = (token: string) =>
    call('POST', `${standIn.workspaces.prod.host}/serving-endpoints/${endpoint.name}/invocations`, token, {
      dataframe_records: [{ user_id: 1 }],
    });

  it("gives a member the group's rights in the place of their own", async () => {
    const own = clientOf(standIn, ANA.userName);
    assert.ok((await own.experiments()).length > 0);
    await core.addGroupMembers(endpointQuery.id, [SEED.users.ana.id]);
    const token = await assume(endpointQuery.id);
    assert.equal((await query(token)).status, 200);
    const role = clientWith(token);
    // The endpoints of foundation models are everybody's.
    assert.deepEqual(
      (await role.servingEndpoints())
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('databricks-')),
      [endpoint.name],
    );
    assert.deepEqual(await role.experiments(), [], 'the role has rights of its bearer');
    assert.deepEqual(await role.models(), []);
    const asked = standIn.requests().findLast(({ path }) => path.endsWith('/invocations'));
    assert.deepEqual([asked?.principal, asked?.runBy], [endpointQuery.name, ANA.userName]);
  });

  it('refuses who is not in the group, another group, and none', async () => {
    const refused = (error: unknown): boolean => hasCode(error, 'databricks_role_not_assumed');
    await assert.rejects(assume(endpointQuery.id), refused);
    await core.addGroupMembers(endpointQuery.id, [SEED.users.ana.id]);
    await assume(endpointQuery.id);
    await assert.rejects(assume(modelPromote.id), refused);
    await assert.rejects(assume('424242'), refused);
    await core.removeGroupMembers(endpointQuery.id, [SEED.users.ana.id]);
    await assert.rejects(assume(endpointQuery.id), refused);
  });

  it('lets in who holds roles/group.assumer, without membership', async () => {
    const name = `accounts/${SEED.accountId}/groups/${endpointQuery.id}/ruleSets/default`;
    const address = `${standIn.account.host}/api/2.0/preview/accounts/${SEED.accountId}/access-control/rule-sets`;
    const token = await accountTokenOf(standIn);
    const { json } = await call('GET', `${address}?name=${name}`, token);
    const { status } = await call('PUT', address, token, {
      name,
      rule_set: {
        name,
        etag: json['etag'],
        grant_rules: [{ role: 'roles/group.assumer', principals: [`users/${ANA.userName}`] }],
      },
    });
    assert.equal(status, 200);
    assert.equal((await query(await assume(endpointQuery.id))).status, 200);
  });

  it('takes a token for as long as it lives, also after the membership: Databricks does not promise less', async () => {
    await core.addGroupMembers(endpointQuery.id, [SEED.users.ana.id]);
    const token = await assume(endpointQuery.id);
    await core.removeGroupMembers(endpointQuery.id, [SEED.users.ana.id]);
    assert.equal((await query(token)).status, 200);
    clock.advance(301_000);
    assert.equal((await query(token)).status, 403);
  });

  it('answers /Me as Databricks does then: with 404, naming the group', async () => {
    await core.addGroupMembers(endpointQuery.id, [SEED.users.ana.id]);
    const { status, json } = await call(
      'GET',
      `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`,
      await assume(endpointQuery.id),
    );
    assert.equal(status, 404);
    assert.match(String(json['detail']), new RegExp(endpointQuery.id));
  });
});
