import assert from 'node:assert/strict';

import { DAY_MS, HOUR_MS } from '../../../../src/domain/time.ts';
import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const LOW = 'recsys-endpoint-query';
const DEPLOYER = 'recsys-deployer';

/** Of the other team; the sandbox has no person who is just that. */
const PLATFORM_LEAD = { groups: ['ml-platform', 'ml-platform-leads'], duty: 'lead' };

/** More groups than the token holds. */
const OVERFLOWED = { groups: undefined, _claim_names: { groups: 'src1' } };

const DAY_SECONDS = DAY_MS / 1_000;

describe('what a lead sees of their teams', function () {
  this.timeout(30_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const lena = (): ControlPlaneClient => world.client('lena');
  const platformLead = (): ControlPlaneClient => world.client('omar', PLATFORM_LEAD);

  const deployer = async (): Promise<string> => {
    const { id, version } = await world.ask('ana', DEPLOYER);
    const approved = await lena().call('approveRequest', { params: { id }, version, body: {} });
    const grant = await world.until(grantOf(approved), 'active');
    return grant.id;
  };

  it('is every credential of theirs that is good, also one that outlives its grant, and none of another team', async () => {
    const grantId = await deployer();
    const ana = world.client('ana');
    const { leaseId } = await ana.call('issueCredential', { params: { id: grantId }, body: {} });
    const listed = await lena().call('listTeamLeases');
    assert.deepEqual(
      listed.items.map(({ lease, grant }) => [lease.id, lease.state, grant.id, grant.principal.sub]),
      [[leaseId, 'issued', grantId, PEOPLE.ana.sub]],
    );
    await ana.call('returnGrant', { params: { id: grantId } });
    await world.until(grantId, 'ended');
    const [after] = (await lena().call('listTeamLeases')).items;
    assert.deepEqual([after?.grant.state, after?.lease.outlives?.what], ['ended', 'tokenOnly']);
    assert.deepEqual((await platformLead().call('listTeamLeases')).items, []);
    assert.deepEqual((await ana.call('listTeamLeases')).items, []);
    assert.deepEqual((await world.client('aude').call('listTeamLeases')).items, []);
    await world.advance(HOUR_MS);
    assert.deepEqual((await lena().call('listTeamLeases')).items, []);
  });

  it('turns pages of credentials, each once and the soonest end first', async () => {
    const grantId = await deployer();
    const ana = world.client('ana');
    for (let each = 0; each < 5; each += 1) {
      await ana.call('issueCredential', { params: { id: grantId }, body: {} });
      await world.advance(1_000);
    }
    const ends: string[] = [];
    const ids = new Set<string>();
    let cursor: string | null | undefined;
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof first>> = await first(cursor);
      for (const { lease } of page.items) {
        ends.push(lease.expiresAt);
        ids.add(lease.id);
      }
      cursor = page.nextCursor;
    }
    assert.equal(ids.size, 5);
    assert.deepEqual(ends, [...ends].sort());
    await refused(lena().call('listTeamLeases', { query: { cursor: 'nonsense' } }), 'bad_request');

    function first(after: string | undefined) {
      return lena().call('listTeamLeases', {
        query: { limit: 2, ...(after !== undefined && { cursor: after }) },
      });
    }
  });

  it('is who waits, and who was given nothing for longest', async () => {
    await world.client('omar').call('getMe');
    await world.until(grantOf(await world.ask('ana', LOW)), 'active');
    await world.ask('ana', DEPLOYER);
    const { items } = await lena().call('listTeamMembers');
    assert.deepEqual(
      items.map(({ person, teams }) => [person.sub, teams]),
      [
        [PEOPLE.lena.sub, ['recsys']],
        [PEOPLE.ana.sub, ['recsys']],
      ],
    );
    const [lead, member] = items;
    assert.equal(lead?.lastApprovedAt, null);
    assert.equal(member?.duty, 'data-scientist');
    assert.notEqual(member.lastApprovedAt, null);
    const page = await lena().call('listTeamMembers', { query: { limit: 1 } });
    const next = await lena().call('listTeamMembers', { query: { limit: 1, cursor: page.nextCursor ?? '' } });
    assert.deepEqual([...page.items, ...next.items], items);
    assert.equal(next.nextCursor, null);
    const others = await platformLead().call('listTeamMembers');
    assert.deepEqual(
      others.items.map(({ person }) => person.sub),
      [PEOPLE.omar.sub],
    );
    assert.deepEqual((await world.client('ana').call('listTeamMembers')).items, []);
  });

  it('says since when somebody waits for a word', async () => {
    await world.ask('ana', DEPLOYER);
    const { items } = await lena().call('listTeamMembers');
    const ana = items.find(({ person }) => person.sub === PEOPLE.ana.sub);
    assert.notEqual(ana?.waitingSince, null);
  });

  it('is the personal access tokens of their people with age, use and end, and nobody else’s', async () => {
    const { databricks } = world;
    await Promise.all([world.client('ana').call('getMe'), world.client('omar').call('getMe')]);
    const used = databricks.personalAccessToken('prod', PEOPLE.ana.userName, {
      ...{ comment: 'laptop', ageSeconds: 100 * DAY_SECONDS, lifetimeSeconds: 365 * DAY_SECONDS },
    });
    databricks.personalAccessToken('prod', PEOPLE.ana.userName, {
      ...{ comment: 'for ever', ageSeconds: 400 * DAY_SECONDS, lifetimeSeconds: undefined },
    });
    databricks.personalAccessToken('prod', PEOPLE.omar.userName, { comment: 'of the other team' });
    databricks.personalAccessToken('prod', PEOPLE.aude.userName, { comment: 'of no team' });
    await fetch(`${databricks.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`, {
      headers: { authorization: `Bearer ${used}` },
    });
    const { items, unread } = await lena().call('listTeamTokens');
    assert.deepEqual(
      items.map(({ comment, owner, expiresAt, lastUsedAt, workspace }) => [
        ...[comment, owner.sub, workspace.name],
        ...[expiresAt === null, lastUsedAt === null],
      ]),
      [
        ['laptop', PEOPLE.ana.sub, 'ml-prod', false, false],
        ['for ever', PEOPLE.ana.sub, 'ml-prod', true, true],
      ],
    );
    const ageDays = ((await world.store.nowMs()) - Date.parse(items[0]?.createdAt ?? '')) / DAY_MS;
    assert.equal(Math.round(ageDays), 100);
    assert.deepEqual(unread, []);
    assert.doesNotMatch(JSON.stringify(items), /dapi/);
    assert.deepEqual(
      (await platformLead().call('listTeamTokens')).items.map(({ comment }) => comment),
      ['of the other team'],
    );
    assert.deepEqual(await world.client('ana').call('listTeamTokens'), {
      items: [],
      nextCursor: null,
      unread: [],
    });
    const page = await lena().call('listTeamTokens', { query: { limit: 1 } });
    const next = await lena().call('listTeamTokens', { query: { limit: 1, cursor: page.nextCursor ?? '' } });
    assert.deepEqual([...page.items, ...next.items], items);
  });

  it('is on the record where tokens were looked at, and Databricks is asked once a minute at most', async () => {
    await lena().call('listTeamTokens');
    await Promise.all([1, 2, 3].map(() => lena().call('listTeamTokens')));
    const reads = world.databricks
      .requests()
      .filter(({ path }) => path.startsWith('/api/2.0/token-management/tokens'));
    const { items } = await world.client('aude').call('listAudit', { query: { event: 'team_tokens.read' } });
    assert.deepEqual(
      items.map(({ actor, detail }) => [actor?.sub, (detail['query'] as { teams: string[] }).teams]),
      [[PEOPLE.lena.sub, ['recsys']]],
    );
    // The sweep for tokens that OAM lost reads as another service principal, where roles have such tokens.
    assert.equal(reads.length, 1);
  });

  it('says which workspace could not be read, and why', async () => {
    world.databricks.tune({
      failNext: { path: /token-management/, status: 500, count: 5 },
    });
    assert.deepEqual((await lena().call('listTeamTokens')).unread, [
      { workspace: 'ml-prod', because: 'unavailable' },
    ]);
  });

  it('says that nobody may read tokens where there is no reader', async () => {
    await using other = await started({ noReader: true });
    assert.deepEqual(await other.client('lena').call('listTeamTokens'), {
      items: [],
      nextCursor: null,
      unread: [{ workspace: 'ml-prod', because: 'not_configured' }],
    });
  });

  it('is neither nothing nor everything for somebody whose groups are not all known', async () => {
    const overflowed = world.client('lena', OVERFLOWED);
    await refused(overflowed.call('listTeamLeases'), 'groups_overflowed');
    await refused(overflowed.call('listTeamMembers'), 'groups_overflowed');
    await refused(overflowed.call('listTeamTokens'), 'groups_overflowed');
  });
});

async function started(options: Parameters<typeof startWorld>[0]): Promise<World & AsyncDisposable> {
  const world = await startWorld(options);
  return Object.assign(Object.create(world) as World, { [Symbol.asyncDispose]: () => world.close() });
}
