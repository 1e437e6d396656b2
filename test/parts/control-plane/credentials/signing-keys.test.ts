import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { decodeJwt } from 'jose';

import { HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import type { IssuerView } from '../../../../src/protocol/issuer.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { accountTokenOf } from '../../../unit/sandbox/databricks/stand-in.ts';
import { bearerOf, refused, startWorld, type World } from '../world.ts';
import { granted } from './granted.ts';

const ROTATE = { body: { step: 'begin', reason: 'A colleague left' } } as const;

const transport = axiosTransport();

describe('role tokens while the keys change', function () {
  this.timeout(30_000);
  let world: World;
  afterEach(() => world.close());

  const keysOf = async (): Promise<string[]> =>
    (await world.client('omar').call('getIssuer')).keys.map(({ state }) => state);

  const untilKeys = async (...states: IssuerView['keys'][number]['state'][]): Promise<void> => {
    const start = performance.now();
    while (JSON.stringify(await keysOf()) !== JSON.stringify(states)) {
      if (performance.now() - start > 8_000) assert.fail(`The keys are ${(await keysOf()).join(', ')}.`);
      await delay(15);
    }
  };

  it('are taken all along, by two control planes and a Databricks that keeps old copies of the keys', async () => {
    world = await startWorld({ issuer: { publishAheadMinutes: 60 } });
    world.databricks.tune({ keepIssuerKeysMs: HOUR_MS });
    await using replica = await world.addReplica();
    const { id } = await granted(world, 'ana', 'recsys-deployer', 120);
    const issueAtBoth = async (): Promise<void> => {
      for (const client of [world.client('ana'), replica.client('ana')]) {
        const token = bearerOf(await client.call('issueCredential', { params: { id } }));
        assert.equal(decodeJwt(token).sub, SEED.servicePrincipals.recsysDeployer.applicationId);
      }
    };
    await issueAtBoth();
    await replica.client('omar').call('rotateKeys', ROTATE);
    await untilKeys('current', 'next');
    await refused(world.client('omar').call('rotateKeys', ROTATE), 'precondition_failed');
    await world.advance(40 * MINUTE_MS);
    await issueAtBoth();
    assert.deepEqual(await keysOf(), ['current', 'next']);
    await world.advance(21 * MINUTE_MS);
    await untilKeys('current', 'retired');
    await issueAtBoth();
    await world.advance(61 * MINUTE_MS);
    await untilKeys('current');
  });

  it('of keys that strangers may have are refused as soon as Databricks looks again', async () => {
    world = await startWorld();
    world.databricks.tune({ keepIssuerKeysMs: 10 * MINUTE_MS });
    const { id } = await granted(world, 'ana', 'recsys-deployer', 120);
    const issue = () => world.client('ana').call('issueCredential', { params: { id } });
    await issue();
    await world.client('omar').call('rotateKeys', {
      body: { step: 'replace', reason: 'A backup of the store and its key were stolen' },
    });
    const problem = await refused(issue(), 'databricks_unavailable');
    assert.match(problem.detail, /signature/);
    await world.advance(10 * MINUTE_MS);
    await issue();
    const { items } = await world.client('aude').call('listAudit');
    const removed = items.find(({ event }) => event === 'signing_key.removed');
    assert.equal(removed?.actor?.displayName, 'Omar Haddad');
    assert.equal(removed.detail['reason'], 'A backup of the store and its key were stolen');
  });

  it('are for whom policy lets change keys, and the refusal is on the record', async () => {
    world = await startWorld();
    await refused(world.client('ana').call('rotateKeys', ROTATE), 'not_allowed');
    await refused(world.client('aude').call('rotateKeys', ROTATE), 'not_allowed');
    await refused(world.client('lena').call('getIssuer'), 'not_allowed');
    const { keys } = await world.client('aude').call('getIssuer');
    assert.deepEqual(
      keys.map(({ state }) => state),
      ['current'],
    );
    const { items } = await world.client('aude').call('listAudit');
    assert.equal(items.filter(({ event }) => event === 'signing_key.refused').length, 3);

    const once = { ...ROTATE, idempotencyKey: 'rotate-once' };
    const first = await world.client('omar').call('rotateKeys', once);
    assert.deepEqual(await world.client('omar').call('rotateKeys', once), first);
  });

  it('work from keys in the policy itself, where Databricks cannot reach the issuer', async () => {
    world = await startWorld({ issuer: { policyKeys: 'jwks_json', publishAheadMinutes: 5 } });
    const { account } = world.databricks;
    const policies = `${account.host}/api/2.0/accounts/${account.accountId}/servicePrincipals/${SEED.servicePrincipals.recsysDeployer.id}/federationPolicies`;
    const send = async (method: 'POST' | 'PATCH' | 'DELETE', url: string, body?: object): Promise<void> => {
      const answer = await transport({
        method,
        url,
        headers: {
          authorization: `Bearer ${await accountTokenOf(world.databricks)}`,
          'content-type': 'application/json',
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      assert.equal(answer.status, 200, answer.text);
    };
    const policyNow = async (): Promise<object> => {
      const { policies: shown } = await world.client('omar').call('getIssuer');
      const [deployer] = shown;
      assert.equal(deployer?.roleId, 'recsys-deployer');
      assert.ok(deployer.policy.oidc_policy.jwks_json);
      return deployer.policy;
    };
    await send('DELETE', `${policies}/oam`);
    await send('POST', `${policies}?policy_id=oam`, await policyNow());

    const { id } = await granted(world, 'ana', 'recsys-deployer', 120);
    const issue = () => world.client('ana').call('issueCredential', { params: { id } });
    await issue();
    await world.client('omar').call('rotateKeys', ROTATE);
    await world.advance(HOUR_MS);
    await delay(100);
    assert.deepEqual(await keysOf(), ['current', 'next'], 'a key signs that no policy has');
    await issue();
    await send('PATCH', `${policies}/oam`, await policyNow());
    await issue();
    await world.client('omar').call('rotateKeys', { body: { step: 'complete', reason: 'Policies are set' } });
    assert.deepEqual(await keysOf(), ['current', 'retired']);
    await issue();
    await refused(
      world.client('omar').call('rotateKeys', { body: { step: 'complete', reason: 'Again' } }),
      'precondition_failed',
    );
  });
});
