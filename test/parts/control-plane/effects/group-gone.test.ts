import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import { sql } from 'kysely';

import type { GrantState } from '../../../../src/domain/lifecycle.ts';
import type { GrantView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { withCatalogue } from '../changed-role.ts';
import { grantOf, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;

describe('a group that Databricks does not find', function () {
  this.timeout(30_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
    world.databricks.tune({ limits: { 'account-scim-write': null, 'account-scim-read': null } });
  });
  afterEach(() => world.close());

  const active = async (): Promise<string> => {
    const id = grantOf(await world.ask('ana', ROLE));
    await world.until(id, 'active');
    return id;
  };
  const events = async (): Promise<string[]> => {
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    return items.map((row) => row.event);
  };
  /** Waits as `world.until` does; every next try is due at once. */
  const soon = async (id: string, ...states: GrantState[]): Promise<GrantView> => {
    const timer = setInterval(() => {
      void sql`update oam.effect set next_attempt_at = oam.now() where state = 'due' and first_absent_at is null`
        .execute(world.store.db)
        .catch(() => undefined);
    }, 20);
    try {
      return await world.until(id, ...states);
    } finally {
      clearInterval(timer);
    }
  };

  it('because it was deleted took its members with it: the access has ended, and there is an alarm', async () => {
    const id = await active();
    world.databricks.deleteGroup(GROUP);
    await world.client('ana').call('returnGrant', { params: { id } });
    const ended = await world.until(id, 'ended');
    assert.ok(ended.membershipAbsentAt);
    assert.match(ended.trouble ?? '', /group does not exist in Databricks any more/);
    assert.equal((await events()).filter((event) => event === 'group.gone').length, 1);
    const { items } = await world.client('ana').call('listRoles');
    assert.equal(items.find((role) => role.id === ROLE)?.outlook.kind, 'unavailable');
  });

  it('because it was deleted gives nothing: an addition is given up, never done', async () => {
    const earlier = await active();
    await world.client('ana').call('returnGrant', { params: { id: earlier } });
    await world.until(earlier, 'ended');
    world.databricks.deleteGroup(GROUP);
    const failed = await world.until(grantOf(await world.ask('ana', ROLE)), 'failed');
    assert.equal(failed.activatedAt, null);
    assert.match(failed.trouble ?? '', /group does not exist in Databricks any more/);
  });

  it('but lists, is not taken for gone', async () => {
    const id = await active();
    const count = 14;
    world.databricks.tune({ failNext: { status: 404, count, path: new RegExp(`Groups/${GROUP}$`) } });
    await world.client('ana').call('returnGrant', { params: { id } });
    const stuck = await soon(id, 'revoke_stuck');
    assert.match(stuck.trouble ?? '', /lists the role's group and does not show it/);
    assert.ok(Date.parse(stuck.removingSince ?? '') >= Date.parse(stuck.activatedAt ?? ''));
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
    const ended = await soon(id, 'ended');
    assert.deepEqual([ended.trouble, ended.removingSince], [null, null]);
    assert.deepEqual(world.databricks.members(GROUP), []);
    assert.ok(!(await events()).includes('group.gone'));
  });

  it('on a host of another account, is not taken for gone', async () => {
    const id = await active();
    await using stranger = await startStranger();
    const { host } = world.databricks.workspaces.prod;
    const moveTo = (to: string) =>
      world.store.db.updateTable('access_grant').set({ workspace_host: to }).where('id', '=', id).execute();
    await moveTo(stranger.host);
    await world.client('ana').call('returnGrant', { params: { id } });
    const stuck = await soon(id, 'revoke_stuck');
    assert.match(stuck.trouble ?? '', /account that OAM works in/);
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
    await moveTo(host);
    await soon(id, 'ended');
    assert.deepEqual(world.databricks.members(GROUP), []);
  });
});

describe('a workspace that moved in the catalogue', function () {
  this.timeout(30_000);

  it('keeps its grants: they end where they were given', async () => {
    const world = await startWorld();
    try {
      const id = grantOf(await world.ask('ana', ROLE));
      await world.until(id, 'active');
      const { prod, dev } = world.databricks.workspaces;
      await world.restart(
        withCatalogue((catalogue) => ({
          ...catalogue,
          workspaces: catalogue.workspaces.map((workspace) => ({
            ...workspace,
            host: workspace.host === prod.host ? dev.host : prod.host,
          })),
        })),
      );
      const seen = world.databricks.requests().length;
      await world.client('ana').call('returnGrant', { params: { id } });
      await world.until(id, 'ended');
      const writes = world.databricks
        .requests()
        .slice(seen)
        .filter(({ method }) => method === 'PATCH');
      assert.deepEqual(
        writes.map(({ host }) => host),
        ['prod'],
      );
    } finally {
      await world.close();
    }
  });
});

/** A workspace of somebody else's account: it knows none of our groups, and lists none. */
async function startStranger(): Promise<AsyncDisposable & { readonly host: string }> {
  let host = '';
  const server = createServer((request, response) => {
    const answers: readonly (readonly [RegExp, number, object])[] = [
      [/oauth-authorization-server/, 200, { token_endpoint: `${host}/oidc/v1/token` }],
      [/oidc\/v1\/token/, 200, { access_token: 'theirs', token_type: 'Bearer', expires_in: 3_600 }],
      [/databricks-config/, 200, { account_id: '11111111-2222-4333-8444-555555555555' }],
      [/Groups\?/, 200, { Resources: [], totalResults: 0 }],
    ];
    const found = answers.find(([path]) => path.test(request.url ?? ''));
    const [, status, body] = found ?? [/./, 404, { detail: 'Group not found.', status: '404' }];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('Not a TCP address.');
  host = `http://127.0.0.1:${address.port}`;
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
