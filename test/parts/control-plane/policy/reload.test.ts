import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { type PolicyFolder, policyFolder } from '../../../unit/control-plane/policy/folder.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

/** A role of the demo's catalogue, as a text to be put beside or in place of others. */
const ANOTHER_ROLE = `
  - id: recsys-features-read
    title: Read the recsys features
    gives: Read the feature tables of recsys.
    workspace: ml-prod
    team: recsys
    sensitivity: low
    credential: member
    group: { id: '9901', name: oam-jit-recsys-features-read }
    defaultMinutes: 30
    maxMinutes: 60
`;

describe('a policy folder that changes while the control plane runs', function () {
  this.timeout(20_000);
  let folder: PolicyFolder;
  let world: World;
  beforeEach(async () => {
    folder = await policyFolder();
    world = await startWorld({
      policyFolder: folder.path,
      seed: { jitGroups: [{ id: '9901', name: 'oam-jit-recsys-features-read', memberIds: [] }] },
    });
  });
  afterEach(async () => {
    await world.close();
    await folder.remove();
  });

  const text = async (path: string): Promise<string> => (await world.http({ method: 'GET', path })).text;

  const eventually = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 400; tries += 1) {
      if (await holds()) return;
      await delay(20);
    }
    assert.fail(`It did not come to be: ${what}`);
  };

  /** Waits until another version than the one before decides; gives its hash. */
  const another = async (before: string): Promise<string> => {
    let version = before;
    await eventually('another version', async () => {
      version = await deciding();
      return version !== before;
    });
    return version;
  };

  const deciding = async (): Promise<string> => {
    const [, version] = /"version":"(\w+)"/.exec(await text('/readyz')) ?? [];
    return version ?? assert.fail('The server does not say which version decides.');
  };

  const behind = async (): Promise<boolean> => /^oam_policy_behind 1$/m.test(await text('/metrics'));

  const rows = async (event: string): Promise<{ detail: Record<string, unknown> }[]> => {
    const found = await sql<{ detail: Record<string, unknown> }>`
      select detail from oam.audit where event = ${event} order by at, id`.execute(world.store.db);
    return found.rows;
  };

  it('decides anew without a restart, on the record, and says by which version', async () => {
    const first = await deciding();
    const early = await world.ask('ana', 'recsys-endpoint-query');
    assert.equal(early.policyVersion, first);

    await folder.replace('catalogue.yaml', 'roles:\n', `roles:${ANOTHER_ROLE}`);
    const second = await another(first);
    assert.match(await text('/metrics'), new RegExp(`^oam_policy_info{version="${second}"} 1$`, 'm'));
    const { items } = await world.client('ana').call('listRoles', {});
    assert.ok(items.some(({ id }) => id === 'recsys-features-read'));
    const request = await world.ask('ana', 'recsys-features-read');
    assert.equal(request.policyVersion, second);
    const { rows: groups } = await sql`
      select from oam.jit_group where group_id = '9901'`.execute(world.store.db);
    assert.equal(groups.length, 1);
    assert.deepEqual(
      (await rows('policy.published')).map(({ detail }) => [detail['previous'], detail['policyVersion']]),
      [
        [null, first],
        [first, second],
      ],
    );
  });

  it('never serves what cannot be used: the version before goes on, and one row tells it', async () => {
    await using replica = await world.addReplica();
    const first = await deciding();
    await folder.replace('requests.cedar', 'principal.duty', 'principal.dutty');
    await eventually('the alarm', behind);
    await eventually('the row', async () => (await rows('policy.refused')).length > 0);
    const problem = JSON.stringify((await rows('policy.refused')).map(({ detail }) => detail['problems']));
    assert.match(problem, /requests\.cedar.*dutty/);
    assert.equal(await deciding(), first);
    assert.match(await text('/readyz'), /"status":"ready".*"behind":true/);
    const request = await replica.client('ana').call('createRequest', {
      body: { roleId: 'recsys-endpoint-query', purpose: 'Look into the drop in clicks', minutes: 5 },
    });
    assert.equal(request.policyVersion, first);

    await folder.replace('requests.cedar', 'principal.dutty', 'principal.duty');
    await eventually('the end of the alarm', async () => !(await behind()));
    assert.equal(await deciding(), first);
    assert.equal((await rows('policy.refused')).length, 1);
    assert.equal((await rows('policy.published')).length, 1);
  });

  it('lets access that is held go on to its end where its role is gone', async () => {
    const grantId = grantOf(await world.ask('ana', 'recsys-endpoint-query'));
    await world.until(grantId, 'active');
    const first = await deciding();
    await folder.replace('catalogue.yaml', 'id: recsys-endpoint-query', 'id: recsys-endpoint-asking');
    await another(first);
    await refused(world.ask('ana', 'recsys-endpoint-query'), 'unknown_role');
    const grant = await world.client('ana').call('getGrant', { params: { id: grantId } });
    assert.equal(grant.state, 'active');
    await world.client('ana').call('returnGrant', { params: { id: grantId }, version: grant.version });
    await world.until(grantId, 'ended');
  });

  it('judges open requests anew, so that whoever may approve now can see them', async () => {
    const before = await world.ask('ana', 'recsys-deployer');
    assert.equal(before.state, 'pending');
    const first = await deciding();
    await folder.replace(
      'catalogue.yaml',
      'approverGroups: [ml-recsys-leads]',
      'approverGroups: [ml-platform-leads]',
    );
    const second = await another(first);
    await eventually('the new ground', async () => {
      const now = await world.client('ana').call('getRequest', { params: { id: before.id } });
      return now.policyVersion === second;
    });
    const now = await world.client('ana').call('getRequest', { params: { id: before.id } });
    assert.deepEqual(
      now.stages.map(({ approverGroups }) => approverGroups),
      [['ml-platform-leads']],
    );
    const lena = world.client('lena');
    const { items } = await lena.call('listRequests', { query: { scope: 'to_approve' } });
    assert.deepEqual(items, []);
  });

  it('writes the version on refusals, revocations, readings of the trail and words on requests', async () => {
    const version = await deciding();
    await refused(world.ask('lena', 'recsys-endpoint-query'), 'refused_by_policy');
    const request = await world.ask('ana', 'recsys-model-promote');
    const lena = world.client('lena');
    const approved = await lena.call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    const grant = await world.until(grantOf(approved), 'active');
    await lena.call('revokeGrant', {
      params: { id: grant.id },
      version: grant.version,
      body: { reason: 'Enough' },
    });
    await world.client('aude').call('listAudit', { query: {} });
    await world.client('omar').call('rotateKeys', { body: { step: 'replace', reason: 'A drill' } });
    for (const event of [
      'request.refused',
      'request.created',
      'request.approved',
      'grant.revoking',
      'audit.read',
      'signing_key.activated',
    ]) {
      const row = (await rows(event)).at(-1);
      assert.equal(row?.detail['policyVersion'], version, event);
    }
  });
});
