import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { MINUTE_MS, SECOND_MS } from '../../../../src/domain/time.ts';
import type { RequestView } from '../../../../src/protocol/schemas.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const PAGE = 'docs/complaints.md';

/** The 15 complaints about other systems, and the four that came near, by their headings. */
const HEADINGS = [
  ...Array.from({ length: 15 }, (_, index) => new RegExp(`^${index + 1}\\. .+ \\(.+\\)$`)),
  ...['Double approval', 'Pending for ever', 'No way to say no', 'Policy changes that nobody approves'].map(
    (heading) => new RegExp(`^${heading} \\(.+ #\\d+\\)$`),
  ),
];

interface Complaint {
  readonly heading: string;
  readonly tests: readonly { readonly title: string; readonly file: string }[];
}

const complaints: readonly Complaint[] = (await readFile(PAGE, 'utf8'))
  .split(/^### /m)
  .slice(1)
  .map((section) => ({
    heading: section.split('\n', 1)[0] ?? '',
    tests: [...section.matchAll(/^- \[([^\]]+)\]\(\.\.\/(test\/[^)]+)\)$/gm)].map(
      ([, title = '', file = '']) => ({ title, file }),
    ),
  }));

describe('what users of other systems complain of, each with a test that shows how it is here', () => {
  it('is the whole list', () => {
    assert.equal(complaints.length, HEADINGS.length);
    for (const [index, heading] of HEADINGS.entries())
      assert.match(complaints[index]?.heading ?? '', heading);
  });

  for (const { heading, tests } of complaints) {
    it(heading, async () => {
      assert.ok(tests.length > 0, 'no test shows it');
      for (const { title, file } of tests) {
        const source = await readFile(file, 'utf8');
        const begins = [`'`, `"`, '`'].some((quote) => source.includes(`it(${quote}${title}${quote}`));
        assert.ok(begins, `${file} has no test '${title}'`);
      }
    });
  }
});

describe('a complaint about other systems that is none here:', function () {
  this.timeout(20_000);
  const AT_ONCE = 'recsys-endpoint-query';
  const APPROVED = 'recsys-model-promote';
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const decide = (request: RequestView, claims?: Record<string, unknown>): Promise<RequestView> =>
    world
      .client('lena', claims)
      .call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });

  const overdueSeconds = async (): Promise<number> => {
    const { text } = await world.http({ method: 'GET', path: '/metrics' });
    return Number(/^oam_revocation_overdue_seconds (.+)$/m.exec(text)?.[1]);
  };

  it('whoever removes dies silently (TEAM #149)', async () => {
    const id = grantOf(await world.ask('ana', AT_ONCE, 60));
    await world.until(id, 'active');
    // A replica that took the group, and died.
    await sql`update oam.jit_group set lease_until = oam.now() + interval '1 minute',
      lease_holder = gen_random_uuid()`.execute(world.store.db);
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.advance(30 * SECOND_MS);
    assert.ok((await overdueSeconds()) >= 29, 'nobody is told');
    const { state, membershipAbsentAt } = await world.client('ana').call('getGrant', { params: { id } });
    assert.deepEqual([state, membershipAbsentAt], ['revoking', null], 'it says that access is gone');
    await world.advance(MINUTE_MS);
    await world.until(id, 'ended');
    assert.equal(await overdueSeconds(), 0);
  });

  it('the clock runs while approvers think (Teleport #50011)', async () => {
    const request = await world.ask('ana', APPROVED, 30);
    await world.advance(40 * MINUTE_MS);
    const grant = await world.until(grantOf(await decide(request)), 'active');
    const activatedAtMs = Date.parse(grant.activatedAt ?? '');
    assert.ok(activatedAtMs - Date.parse(request.createdAt) >= 40 * MINUTE_MS);
    assert.equal(Date.parse(grant.endsAt ?? '') - activatedAtMs, 30 * MINUTE_MS);
  });

  it('approvers cannot see that another has handled it, nor how long there is (TEAM #516, Teleport #63813)', async () => {
    const second = { sub: '00u-lead', preferred_username: 'second@example.com', name: 'Second Lead' };
    const other = world.client('lena', second);
    const start = (await other.call('listEvents')).nextCursor;
    const request = await world.ask('ana', APPROVED);
    const waiting = async (): Promise<RequestView[]> =>
      (await other.call('listRequests', { query: { scope: 'to_approve' } })).items;
    const [seen] = await waiting();
    assert.equal(seen?.id, request.id);
    assert.ok(Date.parse(seen.lapsesAt) > Date.parse(seen.createdAt));
    await decide(request);
    assert.deepEqual(await waiting(), []);
    const isTold = async (): Promise<boolean> =>
      (await other.call('listEvents', { query: { after: start } })).items.some(
        ({ kind, requestId }) => kind === 'request.approved' && requestId === request.id,
      );
    while (!(await isTold())) await delay(25);
    await refused(decide(request, second), 'precondition_failed');
    const now = await other.call('getRequest', { params: { id: request.id } });
    await refused(decide(now, second), 'already_decided');
  });

  it('one can only say yes, and silence means no (jit-groups #56)', async () => {
    const request = await world.ask('ana', APPROVED);
    await world.client('lena').call('denyRequest', {
      params: { id: request.id },
      version: request.version,
      body: { reason: 'Use the staging model' },
    });
    const mine = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.equal(mine.state, 'denied');
    assert.ok(mine.approvals.some(({ comment }) => comment === 'Use the staging model'));
    await refused(decide(mine), 'already_decided');
    // Somebody who was told why may ask anew.
    assert.equal((await world.ask('ana', APPROVED)).state, 'pending');
  });
});
