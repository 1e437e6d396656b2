import assert from 'node:assert/strict';

import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { AccessFeed } from '../../../src/extension/access-view/access-feed.ts';
import type { CallOutput, ControlPlaneClient } from '../../../src/protocol/client.ts';
import { fakeControlPlane } from './control-plane.ts';
import { aGrant, aMe, aRequest, aRole } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');

describe('reading the access', () => {
  const lists = {
    listRoles: () => ({ items: [aRole()] }),
    listRequests: () => ({ items: [], nextCursor: null }),
    listGrants: () => ({ items: [aGrant()], nextCursor: null }),
  };

  interface Planned {
    work: () => void;
    delayMs: number;
    isStopped: boolean;
  }

  function feedOver(client: ControlPlaneClient, isWatched: () => boolean) {
    const planned: Planned[] = [];
    const feed = new AccessFeed({
      client,
      clock: { nowMs: () => NOW },
      logger: silentLogger,
      isWatched,
      later: (work, delayMs) => {
        const entry: Planned = { work, delayMs, isStopped: false };
        planned.push(entry);
        return { dispose: () => void (entry.isStopped = true) };
      },
    });
    const next = (): Planned | undefined => planned.filter(({ isStopped }) => !isStopped).at(-1);
    return { feed, next };
  }

  /** Lets what was begun go on until it waits for a timer. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('asks for events while somebody looks, and otherwise seldom and only for what the status bar tells', async () => {
    let grants = [aGrant()];
    let watched = false;
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listGrants: () => ({ items: grants, nextCursor: null }),
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => watched);
    await feed.reload();
    assert.equal(next()?.delayMs, 60_000);
    watched = true;
    feed.attentionChanged();
    assert.equal(next()?.delayMs, 5_000);
    watched = false;
    grants = [aGrant({ state: 'revoke_stuck' })];
    await feed.reload();
    assert.equal(next()?.delayMs, 60_000);
    watched = true;
    grants = [aGrant({ state: 'provisioning', endsAt: null })];
    await feed.reload();
    assert.equal(next()?.delayMs, 2_000);
    grants = [aGrant({ endsAt: new Date(NOW + 2_500).toISOString() })];
    await feed.reload();
    assert.equal(next()?.delayMs, 3_500);
    watched = false;
    grants = [];
    await feed.reload();
    assert(next()?.isStopped ?? true);
  });

  it('asks for nothing while nobody looks where only requests wait', async () => {
    let isAway = false;
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe({ teams: [{ name: 'recsys', lead: true }] }),
      listRequests: () => ({ items: [aRequest()], nextCursor: null }),
      listGrants: () => ({ items: [], nextCursor: null }),
      listEvents: () => {
        if (isAway) throw new OamError('unreachable', 'The server could not be reached.');
        return { items: [], nextCursor: 'c1' };
      },
    });
    let watched = false;
    const { feed, next } = feedOver(client, () => watched);
    await feed.reload();
    assert.equal(next(), undefined);
    watched = true;
    isAway = true;
    feed.attentionChanged();
    next()?.work();
    await settle();
    assert(feed.state.kind === 'known' && feed.state.stale !== undefined);
    watched = false;
    feed.attentionChanged();
    assert.equal(next(), undefined);
    // Whoever looks again is not shown for seconds what is not so any more.
    watched = true;
    isAway = false;
    feed.attentionChanged();
    await settle();
    assert(feed.state.stale === undefined);
  });

  it('reads all that waits for an approver, however many pages that is', async () => {
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listRequests: ({ query }) =>
        query?.scope !== 'to_approve'
          ? { items: [], nextCursor: null }
          : query.cursor === undefined
            ? { items: [aRequest({ id: 'q1' })], nextCursor: 'p2' }
            : { items: [aRequest({ id: 'q2' })], nextCursor: null },
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const { feed } = feedOver(client, () => true);
    await feed.reload();
    assert.deepEqual(
      feed.data?.toApprove.map(({ id }) => id),
      ['q1', 'q2'],
    );
  });

  it('reads again when something happened, from where it stood', async () => {
    const cursors: (string | undefined)[] = [];
    let happened = false;
    const { client, asked } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listEvents: (input) => {
        cursors.push(input.query?.after);
        const event = {
          cursor: 'c2',
          kind: 'grant.active' as const,
          at: '2026-11-23T10:00:00.000Z',
          requestId: null,
          grantId: 'g1',
        };
        return happened ? { items: [event], nextCursor: 'c2' } : { items: [], nextCursor: 'c1' };
      },
    });
    const { feed, next } = feedOver(client, () => true);
    await feed.reload();
    const before = asked.filter((operation) => operation === 'listRoles').length;
    next()?.work();
    await settle();
    assert.equal(asked.filter((operation) => operation === 'listRoles').length, before);
    happened = true;
    next()?.work();
    await settle();
    assert.equal(asked.filter((operation) => operation === 'listRoles').length, before + 1);
    assert.deepEqual(cursors, [undefined, 'c1', 'c1']);
  });

  it('reads once more when something happened while it read', async () => {
    let grants = [aGrant({ state: 'provisioning', endsAt: null })];
    let gate: Promise<unknown> = Promise.resolve();
    const { client, asked } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listGrants: async () => {
        const items = grants;
        await gate;
        return { items, nextCursor: null };
      },
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const { feed } = feedOver(client, () => true);
    const slow = Promise.withResolvers<undefined>();
    gate = slow.promise;
    const first = feed.reload();
    await settle();
    // It has been read already when it changes; whoever changed it asks for a reading.
    grants = [aGrant()];
    const others = [feed.reload(), feed.reload()];
    slow.resolve(undefined);
    await first;
    assert.equal(feed.data?.grants[0]?.state, 'provisioning');
    await Promise.all(others);
    assert.equal(feed.data.grants[0]?.state, 'active');
    assert.equal(asked.filter((operation) => operation === 'listRoles').length, 2);
  });

  it('does not lose an event that comes while it reads', async () => {
    let grants = [aGrant({ state: 'provisioning', endsAt: null })];
    let gate: Promise<unknown> = Promise.resolve();
    const answer = Promise.withResolvers<CallOutput<'listEvents'>>();
    let polls = 0;
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listGrants: async () => {
        const items = grants;
        await gate;
        return { items, nextCursor: null };
      },
      listEvents: () => ((polls += 1) === 2 ? answer.promise : { items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => true);
    await feed.reload();
    next()?.work();
    const slow = Promise.withResolvers<undefined>();
    gate = slow.promise;
    const reading = feed.reload();
    await settle();
    grants = [aGrant()];
    answer.resolve({
      items: [
        {
          cursor: 'c2',
          kind: 'grant.active',
          at: '2026-11-23T10:00:00.000Z',
          requestId: null,
          grantId: 'g1',
        },
      ],
      nextCursor: 'c2',
    });
    await settle();
    slow.resolve(undefined);
    await reading;
    await settle();
    assert.equal(feed.data?.grants[0]?.state, 'active');
  });

  it('keeps what it knows when the control plane is away, says so, and catches up', async () => {
    let isAway = false;
    const away = (): never => {
      throw new OamError('unreachable', 'The server could not be reached.');
    };
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => (isAway ? away() : aMe()),
      listEvents: () => (isAway ? away() : { items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => true);
    await feed.reload();
    isAway = true;
    next()?.work();
    await settle();
    assert(feed.state.kind === 'known' && feed.state.stale !== undefined);
    assert.equal(feed.data?.grants.length, 1);
    isAway = false;
    next()?.work();
    await settle();
    assert(feed.state.kind === 'known' && feed.state.stale === undefined);
  });

  it('says nothing any more once it is disposed', async () => {
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => true);
    const loading = feed.reload();
    feed.dispose();
    await loading;
    assert.equal(feed.state.kind, 'unknown');
    assert.equal(next(), undefined);
  });
});
