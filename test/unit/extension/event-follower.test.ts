import assert from 'node:assert/strict';

import { silentLogger } from '../../../src/domain/logger.ts';
import { AccessFeed } from '../../../src/extension/access-view/access-feed.ts';
import type { EventsClient } from '../../../src/protocol/event-stream.ts';
import type { GrantView, RequestView } from '../../../src/protocol/schemas.ts';
import { fakeControlPlane } from './control-plane.ts';
import { aGrant, aMe, aRequest, aRole } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');

type Event = Awaited<ReturnType<EventsClient['follow']>> extends AsyncIterable<infer One> ? One : never;

const happened = (cursor: string): Event => ({
  cursor,
  kind: 'grant.active',
  at: '2026-11-23T10:00:00.000Z',
  requestId: null,
  grantId: 'g1',
});

/** Lets what was begun go on until it waits for something. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('events that are followed', () => {
  let tell: (event: Event) => void;
  let end: (error?: Error) => void;
  let opened: string[];
  let closed: number;
  let nowMs: number;
  const feeds: AccessFeed[] = [];

  /** A stream that goes on until it is told to end, or nobody wants it any more. */
  const events: EventsClient = {
    follow: (after, signal) => {
      opened.push(after);
      const waiting: Event[] = [];
      let over: { readonly error: Error | undefined } | undefined;
      let rouse = (): void => undefined;
      tell = (event) => {
        waiting.push(event);
        rouse();
      };
      end = (error) => {
        over = { error };
        rouse();
      };
      signal.addEventListener('abort', () => {
        closed += 1;
        rouse();
      });
      return Promise.resolve(
        (async function* () {
          for (;;) {
            yield* waiting.splice(0);
            if (over?.error !== undefined) throw over.error;
            if (over !== undefined || signal.aborted) return;
            await new Promise<void>((resolve) => (rouse = resolve));
          }
        })(),
      );
    },
  };

  function following(options: { grants?: GrantView[]; requests?: RequestView[]; isWatched: () => boolean }) {
    const plane = fakeControlPlane({
      listRoles: () => ({ items: [aRole()] }),
      listRequests: ({ query }) => ({
        items: query?.scope === 'mine' ? (options.requests ?? []) : [],
        nextCursor: null,
      }),
      listGrants: () => ({ items: options.grants ?? [], nextCursor: null }),
      getMe: () => aMe(),
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const planned: { readonly work: () => void; readonly delayMs: number }[] = [];
    const feed = new AccessFeed({
      client: plane.client,
      events,
      clock: { nowMs: () => nowMs },
      logger: silentLogger,
      isWatched: options.isWatched,
      later: (work, delayMs) => {
        planned.push({ work, delayMs });
        return { dispose: () => undefined };
      },
    });
    feeds.push(feed);
    const count = (operation: string) => plane.asked.filter((id) => id === operation).length;
    return { feed, planned, readings: () => count('listRoles'), polls: () => count('listEvents') };
  }

  beforeEach(() => {
    opened = [];
    closed = 0;
    nowMs = NOW;
  });
  afterEach(() => {
    for (const feed of feeds.splice(0)) feed.dispose();
  });

  it('are not asked for, and each is read at once, from where it stood', async () => {
    const { feed, planned, readings } = following({ isWatched: () => true });
    await feed.reload();
    await settle();
    assert.deepEqual(opened, ['c1']);
    assert.deepEqual(planned, []);
    tell(happened('c2'));
    await settle();
    assert.equal(readings(), 2);
    // It ends with the token, and goes on with the next.
    end();
    await settle();
    assert.deepEqual(opened, ['c1', 'c2']);
    assert.deepEqual(planned, []);
  });

  it('are let go of while nobody looks and nothing lives, and nothing is asked for', async () => {
    let watched = true;
    const { feed, planned } = following({ isWatched: () => watched });
    await feed.reload();
    await settle();
    watched = false;
    feed.attentionChanged();
    assert.equal(closed, 1);
    assert.deepEqual(planned, []);
    watched = true;
    feed.attentionChanged();
    assert.deepEqual(opened, ['c1', 'c1']);
  });

  it('are followed while a grant lives, also where nobody looks', async () => {
    const { feed, planned } = following({ grants: [aGrant()], isWatched: () => false });
    await feed.reload();
    assert.deepEqual(opened, ['c1']);
    assert.deepEqual(planned, []);
  });

  it('are not asked for where the stream breaks while nobody looks, but followed again, later each time', async () => {
    const { feed, planned, polls } = following({
      requests: [aRequest()],
      isWatched: () => false,
    });
    await feed.reload();
    await settle();
    const before = polls();
    for (const restMs of [60_000, 120_000, 240_000]) {
      end(new Error('broken'));
      await settle();
      assert.equal(planned.at(-1)?.delayMs, restMs);
      nowMs += restMs;
      planned.at(-1)?.work();
      await settle();
    }
    assert.equal(opened.length, 4);
    // One that lived for a while is missed sooner.
    nowMs += 3_600_000;
    end(new Error('broken'));
    await settle();
    assert.equal(planned.at(-1)?.delayMs, 60_000);
    assert.equal(polls(), before);
  });

  it('are asked for where the stream breaks, and followed again after a while', async () => {
    const { feed, planned } = following({ isWatched: () => true });
    await feed.reload();
    await settle();
    end(new Error('broken'));
    await settle();
    assert.deepEqual(opened, ['c1']);
    assert.deepEqual(
      planned.map(({ delayMs }) => delayMs),
      [5_000],
    );
    nowMs += 60_000;
    feed.attentionChanged();
    assert.deepEqual(opened, ['c1', 'c1']);
  });
});
