import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ExpiryWatch } from '../../../src/extension/expiry/expiry-watch.ts';
import { dueWarnings } from '../../../src/extension/expiry/expiry-warnings.ts';
import { WindowClaims } from '../../../src/extension/expiry/window-claims.ts';
import type { GrantView, RequestView } from '../../../src/protocol/schemas.ts';
import { aGrant, aRequest } from './views.ts';

const END_MS = Date.parse('2026-11-23T11:00:05.000Z');
const before = (minutes: number): number => END_MS - minutes * 60_000;

describe('warnings of an end', () => {
  it('come 15 and 5 minutes ahead, once, and not at windows that are hardly longer', () => {
    const given = new Set<string>();
    const due = (minutesLeft: number, minutes = 60): number =>
      dueWarnings({ grants: [aGrant({ minutes })], requests: [] }, before(minutesLeft), (key) =>
        given.has(key),
      ).map(({ key }) => given.add(key)).length;
    assert.equal(due(16), 0);
    assert.equal(due(15), 1);
    assert.equal(due(14), 0);
    assert.equal(due(5), 1);
    assert.equal(due(4), 0);
    given.clear();
    assert.equal(due(15, 20), 0);
    assert.equal(due(5, 20), 1);
    given.clear();
    assert.equal(due(1, 5), 0);
    assert.equal(due(0), 0);
  });

  it('are not given for what is extended, and once only where somebody is asked to extend it', () => {
    const due = (grants: GrantView[], minutesLeft: number, requests: RequestView[] = []) =>
      dueWarnings({ grants, requests }, before(minutesLeft), () => false);
    assert.deepEqual(due([aGrant({ successor: 'g2' })], 4), []);
    const follower = aGrant({ id: 'g2', chainId: 'g1', extends: 'g1', endsAt: null, state: 'scheduled' });
    assert.deepEqual(due([aGrant(), follower], 4), []);
    assert.equal(due([aGrant(), { ...follower, state: 'failed' }], 4).length, 1, 'the extension failed');
    const asked = aRequest({ extends: 'g1' });
    assert.deepEqual(due([aGrant()], 14, [asked]), []);
    assert.deepEqual(
      due([aGrant()], 4, [asked]).map(({ isAsked }) => isAsked),
      [true],
    );
    assert.equal(due([aGrant()], 14, [{ ...asked, state: 'denied' }])[0]?.isAsked, false);
  });
});

describe('the watch over ends', () => {
  function windowsOf(count: number, access: { grants: GrantView[]; requests: RequestView[] }) {
    const claimed = new Set<string>();
    const shown: { window: number; roles: string[] }[] = [];
    let nowMs = before(60);
    let inFront = 0;
    const waiting: (() => void)[] = [];
    const watches = Array.from(
      { length: count },
      (_, window) =>
        new ExpiryWatch({
          access: () => access,
          clock: { nowMs: () => nowMs },
          claim: (what) => {
            const isFirst = !claimed.has(what);
            claimed.add(what);
            return Promise.resolve(isFirst);
          },
          isFocused: () => window === inFront,
          wait: () => new Promise((resolve) => waiting.push(resolve)),
          show: (warnings) =>
            void shown.push({ window, roles: warnings.map(({ grant }) => grant.role.title) }),
        }),
    );
    return {
      shown,
      async at(minutesLeft: number, focused: number) {
        nowMs = before(minutesLeft);
        inFront = focused;
        const looking = watches.map((watch) => watch.look());
        await new Promise(setImmediate);
        for (const go of waiting.splice(0)) go();
        await Promise.all(looking);
      },
    };
  }

  const other = aGrant({
    id: 'g2',
    endsAt: new Date(END_MS + 90_000).toISOString(),
    role: { ...aGrant().role, id: 'other', title: 'Other' },
  });

  it('says several ends in one notification, in the window that is in front, once', async () => {
    const windows = windowsOf(3, { grants: [aGrant(), other], requests: [] });
    await windows.at(14, 1);
    assert.deepEqual(windows.shown, [{ window: 1, roles: ['Query the recsys ranker', 'Other'] }]);
    await windows.at(13, 2);
    assert.equal(windows.shown.length, 1);
    await windows.at(4, 0);
    assert.deepEqual(
      windows.shown.map(({ window }) => window),
      [1, 0],
    );
  });

  it('is given by a window in the back where none is in front', async () => {
    const windows = windowsOf(2, { grants: [aGrant()], requests: [] });
    await windows.at(14, 9);
    assert.equal(windows.shown.length, 1);
  });

  it('says nothing before the first reading', async () => {
    const watch = new ExpiryWatch({
      access: () => undefined,
      clock: { nowMs: () => END_MS },
      claim: () => assert.fail('nothing to claim'),
      isFocused: () => true,
      wait: () => Promise.resolve(),
      show: () => assert.fail('nothing to show'),
    });
    await watch.look();
  });
});

describe('what one window says for all', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'oam-said-')), 'said');
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));
  const clock = { nowMs: () => Date.now() };

  it('is said by exactly one of many that ask at once', async () => {
    const claims = Array.from({ length: 8 }, () => new WindowClaims(folder, clock));
    const answers = await Promise.all(claims.map((window) => window.claim('g1/1/15')));
    assert.equal(answers.filter(Boolean).length, 1);
    assert.equal(await new WindowClaims(folder, clock).claim('../../g1/1/15'), true);
    assert.equal((await readdir(folder)).length, 2);
  });

  it('is forgotten after days, and said by each where the disk does not answer', async () => {
    await new WindowClaims(folder, clock).claim('old');
    const [old = ''] = await readdir(folder);
    await utimes(join(folder, old), 0, 0);
    const later = new WindowClaims(folder, clock);
    await later.claim('new');
    while ((await readdir(folder)).includes(old)) await new Promise(setImmediate);
    const file = join(folder, '..', 'a-file');
    await writeFile(file, '');
    assert.equal(await new WindowClaims(file, clock).claim('x'), true);
  });
});
