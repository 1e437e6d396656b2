import assert from 'node:assert/strict';

import { roleTokenSource, type TokenSource } from '../../../../src/broker/index.ts';
import { hostTrust } from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { EDITOR_CLIENT_ID, PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { withRole } from '../changed-role.ts';
import { startWorld, type World } from '../world.ts';
import { granted } from './granted.ts';

const ROLE = 'recsys-endpoint-query';

const transport = axiosTransport();

describe('a role that is assumed', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld({ adjustPolicy: withRole(ROLE, { credential: 'assume' }) });
  });
  after(() => world.close());

  /** What a broker has on Ana's machine. */
  const sourceOf = (grantId: string): TokenSource => {
    const { host } = world.databricks.workspaces.prod;
    const { sub, userName } = PEOPLE.ana;
    const redactor = createRedactor();
    return roleTokenSource({
      grantId,
      client: world.client('ana'),
      redactor,
      person: {
        host,
        session: {
          subjectToken: async () => ({
            token: await world.identityProvider.mint({ sub, email: userName, aud: EDITOR_CLIENT_ID }),
            expiresAtMs: Date.now() + 300_000,
            principal: { iss: world.identityProvider.issuer, sub },
          }),
        },
        trust: hostTrust([host]),
        transport,
        clock: { nowMs: () => Date.now() },
        redactor,
      },
    });
  };

  const query = async (token: string): Promise<number> => {
    const { host } = world.databricks.workspaces.prod;
    const answer = await transport({
      method: 'POST',
      url: `${host}/serving-endpoints/${SEED.assets.endpoint.name}/invocations`,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ dataframe_records: [{ user_id: 1 }] }),
    });
    return answer.status;
  };

  it('has its rights in the place of theirs while the grant lives, and says what it leaves behind', async () => {
    const { id } = await granted(world, 'ana', ROLE, 5);
    assert.deepEqual(world.databricks.members(SEED.jitGroups.endpointQuery.id), [SEED.users.ana.id]);
    const source = sourceOf(id);
    const { accessToken } = await source.token();
    assert.equal(await query(accessToken), 200);
    const asked = world.databricks.requests().findLast(({ path }) => path.endsWith('/invocations'));
    assert.deepEqual(
      [asked?.principal, asked?.runBy],
      [SEED.jitGroups.endpointQuery.name, PEOPLE.ana.userName],
    );

    await source.token();
    const { items } = await world.client('lena').call('listLeases', { params: { id } });
    assert.deepEqual(
      items.map(({ state, renewals }) => [state, renewals]),
      [['renewed', 1]],
    );

    await world.client('ana').call('returnGrant', { params: { id } });
    const ended = await world.until(id, 'ended');
    await assert.rejects(source.token(), (error) => hasCode(error, 'grant_ended'));
    await assert.rejects(sourceOf(id).token(), (error) => hasCode(error, 'grant_ended'));
    assert.deepEqual(world.databricks.members(SEED.jitGroups.endpointQuery.id), []);
    assert.equal(ended.outlives?.what, 'right', 'a token that may still work goes unmentioned');
    const [lease] = (await world.client('aude').call('listLeases', { params: { id } })).items;
    assert.equal(lease?.outlives?.what, 'right');
    assert.equal(await query(accessToken), 200, 'the stand-in is kinder than what we say of Databricks');
  });

  it('is not had by a token from before the grant, nor after it', async () => {
    const first = await granted(world, 'ana', ROLE, 5);
    const source = sourceOf(first.id);
    await source.token();
    await world.client('ana').call('returnGrant', { params: { id: first.id } });
    await world.until(first.id, 'ended');
    const second = await granted(world, 'ana', ROLE, 5);
    await assert.rejects(source.token(), (error) => hasCode(error, 'grant_ended'));
    assert.equal(await query((await sourceOf(second.id).token()).accessToken), 200);
  });

  it('is on the record with the group that is assumed', async () => {
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const issued = items.find(({ event }) => event === 'credential.issued');
    assert.equal(issued?.detail['assumes'], SEED.jitGroups.endpointQuery.id);
    assert.equal(issued.actor?.userName, PEOPLE.ana.userName);
  });
});
