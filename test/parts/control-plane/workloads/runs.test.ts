import assert from 'node:assert/strict';

import { WORKLOAD_PROFILES } from '../../../../src/control-plane/workloads/profiles.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { RequestView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { startIssuer, type TestIssuer } from '../../../unit/sandbox/databricks/stand-in.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';
import { freshly, GITHUB_JOB, issuerOf, signedIn, trustIn } from './pipelines.ts';

const ROLE = 'recsys-deployer';
const GROUP = SEED.jitGroups.deployer.id;

describe('a pipeline', function () {
  this.timeout(30_000);
  let issuer: TestIssuer;
  let world: World;
  beforeEach(async () => {
    issuer = await startIssuer();
    world = await startWorld({
      workloads: trustIn(issuerOf('github', issuer.url, WORKLOAD_PROFILES['github-actions'])),
    });
  });
  afterEach(async () => {
    await world.close();
    await issuer.close();
  });

  const job = async (claims: Record<string, unknown> = {}) =>
    signedIn(world, await issuer.sign(await freshly(world, { ...GITHUB_JOB, ...claims })));
  const ask = async (claims?: Record<string, unknown>, minutes = 60): Promise<RequestView> =>
    (await job(claims)).call('createRequest', {
      body: { roleId: ROLE, purpose: 'Deploy version 42', minutes },
    });

  it('asks as people do, is answered by the rules on what its token says, and gets the credential', async () => {
    const request = await ask();
    assert.equal(request.state, 'approved');
    assert.deepEqual(request.because, [
      "The pipeline of recsys-models deploys from its main branch, in its environment 'production'.",
    ]);
    const id = grantOf(request);
    await world.until(id, 'active');
    assert.deepEqual(world.databricks.members(GROUP), [SEED.servicePrincipals.recsysDeployer.id]);
    const credential = await (await job()).call('issueCredential', { params: { id } });
    assert.equal(credential.kind, 'bearer');
    const { items } = await world.client('aude').call('listAudit', { query: {} });
    assert.ok(items.some((row) => row.event === 'workload.signed_in'));
  });

  it('that comes from another branch, environment or repository is refused, and told by which rule', async () => {
    for (const claims of [
      { ref: 'refs/heads/feature' },
      { environment: undefined },
      { repository: 'acme/other' },
    ]) {
      const problem = await refused(ask(claims), 'refused_by_policy');
      assert.match(problem.explanation?.join(' ') ?? '', /deployments-from-main/);
    }
    assert.deepEqual(world.databricks.members(GROUP), []);
  });

  it('sees the roles that the rules give it, and no others', async () => {
    const { items } = await (await job()).call('listRoles', {});
    assert.deepEqual(
      items.map((role) => role.id),
      [ROLE],
    );
    assert.deepEqual(await (await job({ ref: 'refs/heads/x' })).call('listRoles', {}), { items: [] });
  });

  it('keeps its access while the run lives, loses it with a grace after, and never has it past what was approved', async () => {
    const id = grantOf(await ask({}, 25));
    await world.until(id, 'active');
    const endsIn = async (): Promise<number> => {
      const grant = await world.client('aude').call('getGrant', { params: { id } });
      return Math.round((Date.parse(grant.endsAt ?? '') - (await world.store.nowMs())) / MINUTE_MS);
    };
    assert.equal(await endsIn(), 10);
    await world.store.advance(8 * MINUTE_MS);
    assert.equal(await endsIn(), 2);
    await job();
    assert.equal(await endsIn(), 10);
    await world.store.advance(9 * MINUTE_MS);
    await job();
    assert.equal(await endsIn(), 8, 'the window that was approved is the most');
    await world.store.advance(9 * MINUTE_MS);
    const ended = await world.until(id, 'ended');
    assert.equal(ended.endReason, 'expired');
    assert.deepEqual(world.databricks.members(GROUP), []);
  });

  it('is one run among others: another attempt neither prolongs nor uses what it holds', async () => {
    const first = grantOf(await ask());
    await world.until(first, 'active');
    await world.store.advance(8 * MINUTE_MS);
    const other = await job({ run_attempt: '2' });
    await refused(other.call('issueCredential', { params: { id: first } }), 'not_found');
    await world.store.advance(3 * MINUTE_MS);
    await world.until(first, 'ended');
  });
});
