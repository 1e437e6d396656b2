import assert from 'node:assert/strict';

import { migrate } from '../../../../../src/control-plane/store/migrate.ts';
import { migrations } from '../../../../../src/control-plane/store/migrations/index.ts';
import { hasCode } from '../../../../../src/domain/errors.ts';
import { HOUR_MS } from '../../../../../src/domain/time.ts';
import { silentLogger } from '../../../../../src/domain/logger.ts';
import { SEED } from '../../../../../src/sandbox/databricks/index.ts';
import { administrator } from '../../administrator.ts';
import { assertTrailHolds, chainAll } from '../../audit/trail.ts';
import { storeAtVersion, type TestStore } from '../../database.ts';
import { createControlPlaneClient } from '../../../../../src/protocol/client.ts';
import type { RequestView } from '../../../../../src/protocol/schemas.ts';
import { axiosTransport } from '../../../../../src/protocol/transport.ts';
import { grantOf, startWorld, type World } from '../../world.ts';
import {
  ELSEWHERE_TRANSACTIONS,
  type Heading,
  MACHINE,
  type Recording,
  recordings,
  restore,
  SEAL_KEYS,
} from './recording.ts';

/** The migrations that the recorded stores had come to. */
const VERSIONS = [3, 14, 21];

/** The ends of whatever was active when the stores were recorded come within this time. */
const LONG_ENOUGH_MS = 3 * HOUR_MS;

describe('a store of an earlier version, with its data', function () {
  this.timeout(60_000);
  let world: World;
  afterEach(() => world.close());

  /** The version at hand, on a store as the recorded one left it, at the time at which that was. */
  const comeAfter = async (recording: Recording): Promise<Heading> => {
    const { heading } = recording;
    const store: TestStore = await storeAtVersion(heading.migration);
    world = await startWorld({
      store,
      sealKeys: SEAL_KEYS,
      directory: true,
      beforeStart: async (parts) => {
        const { prod, dev } = parts.databricks.workspaces;
        await restore(store.db, recording, {
          issuer: parts.identityProvider.issuer,
          prod: prod.host,
          dev: dev.host,
        });
        const admin = await administrator(parts);
        for (const [group, members] of Object.entries(heading.members)) {
          if (members.length > 0) await admin.addGroupMembers(group, members);
        }
        await migrate(store.db, migrations, silentLogger);
        await parts.advance(heading.recordedAtMs - (await store.nowMs()));
      },
    });
    world.databricks.tune({ limits: { 'account-scim-write': null } });
    return heading;
  };

  const grantsBy = async (ids: Heading['grants']) => {
    const aude = world.client('aude');
    const found = await Promise.all(
      Object.entries(ids).map(
        async ([what, id]) => [what, await aude.call('getGrant', { params: { id } })] as const,
      ),
    );
    return Object.fromEntries(found);
  };

  /**
   * The catalogue names other hosts than it did, so that what was asked for is judged anew: by the control plane as it
   * comes, or by the first word, which then has to be given again.
   */
  const approve = async (id: string): Promise<RequestView> => {
    const lena = world.client('lena');
    const word = async (): Promise<RequestView> => {
      const { version, state } = await lena.call('getRequest', { params: { id } });
      assert.equal(state, 'pending');
      return lena.call('approveRequest', { params: { id }, version, body: {} });
    };
    return word().catch((error: unknown) => {
      assert.ok(hasCode(error, 'precondition_failed'), String(error));
      return word();
    });
  };

  it('has been recorded', async () => {
    world = await startWorld();
    const recorded = (await recordings()).map(({ heading }) => heading.migration);
    assert.deepEqual(recorded, VERSIONS);
  });

  for (const migration of VERSIONS) {
    describe(`of migration ${migration}`, () => {
      let heading: Heading;
      beforeEach(async () => {
        const recording = (await recordings()).find((each) => each.heading.migration === migration);
        assert.ok(recording);
        heading = await comeAfter(recording);
      });

      it('is read whole: every grant, request, lease and row of the trail, whose chain holds', async () => {
        const aude = world.client('aude');
        const grants = await grantsBy(heading.grants);
        assert.equal(grants['returned']?.state, 'ended');
        assert.equal(grants['active']?.state, 'active');
        for (const name of ['ana', 'omar', 'lena'] as const) {
          for (const grant of (await world.client(name).call('listGrants')).items) {
            assert.ok(Object.values(heading.grants).includes(grant.id));
          }
          await world.client(name).call('listRequests');
        }
        const mine = await world.client('ana').call('listRequests');
        assert.ok(mine.items.length >= 5);
        const leases = await aude.call('listLeases', { params: { id: heading.grants['federated'] ?? '' } });
        assert.equal(leases.items.length, 1);
        let cursor: string | null | undefined;
        do {
          const page = await aude.call('listAudit', {
            query: { limit: 200, ...(typeof cursor === 'string' && { cursor }) },
          });
          cursor = page.nextCursor;
        } while (cursor !== null);
        await chainAll(world.store.db);
        await assertTrailHolds(world.store.db);
      });

      it('is lived in: what waits is approved, credentials are renewed, keys sign, access ends and is taken away', async () => {
        const { federated = '', active = '' } = heading.grants;
        const credential = await world
          .client('ana')
          .call('issueCredential', { params: { id: federated }, idempotencyKey: 'another-lease' });
        assert.equal(credential.kind, 'bearer');
        const approved = await approve(heading.pending);
        await world
          .client('ana')
          .call('returnGrant', { params: { id: active }, idempotencyKey: 'enough-of-it' });
        await world.until(active, 'ended');
        assert.deepEqual(world.databricks.members(SEED.jitGroups.endpointQuery.id), []);

        await world.advance(LONG_ENOUGH_MS);
        for (const [what, { id }] of Object.entries(await grantsBy(heading.grants))) {
          if (what !== 'scheduled') await world.until(id, 'ended');
        }
        await world.until(grantOf(approved), 'ended');
        for (const group of [
          SEED.jitGroups.modelPromote,
          SEED.jitGroups.deployer,
          SEED.jitGroups.clusterOperator,
        ]) {
          assert.deepEqual(world.databricks.members(group.id), []);
        }
      });

      it('lets delegates decide and programs go on, where there were any', async () => {
        if (heading.runner === undefined) {
          assert.ok(migration < 21);
          return;
        }
        const { federated = '' } = heading.grants;
        const [delegation] = (await world.client('lena').call('listDelegations')).items;
        assert.equal(delegation?.delegate.userName, 'ben@example.com');
        const { items } = await world.client('ana').call('listRunners', { params: { id: federated } });
        assert.deepEqual(
          items.map(({ id, state }) => [id, state]),
          [[heading.runner.id, 'running']],
        );
        const { accessToken } = heading.runner;
        const program = createControlPlaneClient({
          baseUrl: world.url,
          accessToken: () => Promise.resolve(accessToken),
          transport: axiosTransport(),
        });
        await program.call('renewRunner', { body: { machine: MACHINE } });
      });

      it('tells who follows the feed of what happens from now on, also from a place of the server before', async () => {
        const { active = '' } = heading.grants;
        const feed = async (after: string) => world.client('ana').call('listEvents', { query: { after } });
        const { nextCursor } = await feed(`${2 * ELSEWHERE_TRANSACTIONS}-7`);
        await world.client('ana').call('returnGrant', { params: { id: active }, idempotencyKey: 'followed' });
        await world.until(active, 'ended');
        let isTold = false;
        for (let cursor = nextCursor; !isTold;) {
          const page = await feed(cursor);
          isTold = page.items.some(({ kind, grantId }) => kind === 'grant.ended' && grantId === active);
          cursor = page.nextCursor;
        }
      });
    });
  }
});
