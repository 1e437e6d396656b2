import assert from 'node:assert/strict';

import { endingWords, watchGrant } from '../../../src/cli/exec/grant-watch.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { describeMoment } from '../../../src/cli/duration.ts';
import { createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { GrantView } from '../../../src/protocol/schemas.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';
import { type FakeAnswer, fakeControlPlane, grantView, NOW, ok, problem } from './fake-control-plane.ts';

/** Long before any end: nobody is warned here. */
const EARLY = { clock: { nowMs: () => NOW }, onEnding: () => assert.fail('Nothing ends soon.') };

const settle = () => new Promise((resolve) => setTimeout(resolve, 1));

async function watched(...answers: FakeAnswer[]) {
  const { client, calls } = fakeControlPlane({ 'GET /grants/g1': answers });
  let over = 0;
  const watch = watchGrant({
    grantId: 'g1',
    client,
    ...EARLY,
    everyMs: 1,
    onOver: () => {
      over += 1;
    },
  });
  while (calls.length < answers.length) await settle();
  for (let i = 0; i < 10; i += 1) await settle();
  watch[Symbol.dispose]();
  return { over, looks: calls.length };
}

describe('oam exec: the grant while the program runs', () => {
  for (const state of ['revoking', 'revoke_stuck', 'ended', 'failed'] as const) {
    it(`is over when it is ${state}, said once`, async () => {
      assert.deepEqual(await watched(ok(grantView()), ok(grantView({ state }))), { over: 1, looks: 2 });
    });
  }

  it('goes on with the grant that extends it, and is over with that one', async () => {
    const { client, calls } = fakeControlPlane({
      'GET /grants/g1': [
        ok(grantView()),
        ok(grantView({ state: 'ended', endReason: 'extended', successor: 'g2' })),
      ],
      'GET /grants/g2': [
        ok(grantView({ id: 'g2', extends: 'g1' })),
        ok(grantView({ id: 'g2', extends: 'g1', state: 'ended', endReason: 'expired' })),
      ],
    });
    let looksAtTheEnd = 0;
    const watch = watchGrant({
      grantId: 'g1',
      client,
      ...EARLY,
      everyMs: 1,
      onOver: () => (looksAtTheEnd = calls.length),
    });
    while (looksAtTheEnd === 0) await settle();
    watch[Symbol.dispose]();
    assert.deepEqual(calls.slice(0, looksAtTheEnd), [
      'GET /grants/g1',
      ...['GET /grants/g1', 'GET /grants/g2'],
      ...['GET /grants/g1', 'GET /grants/g2'],
    ]);
  });

  it('is over when it is gone', async () => {
    assert.equal((await watched(problem('not_found'))).over, 1);
  });

  it('is not over because nobody answers, or because the session has trouble', async () => {
    const { over, looks } = await watched(
      new OamError('unreachable', 'Down.'),
      problem('session_expired'),
      problem('store_unavailable'),
      ok(grantView()),
    );
    assert.equal(over, 0);
    assert.ok(looks > 4);
  });

  it('is looked at no more after the program', async () => {
    const { client, calls } = fakeControlPlane({ 'GET /grants/g1': [ok(grantView())] });
    const watch = watchGrant({ grantId: 'g1', client, ...EARLY, everyMs: 1, onOver: () => assert.fail() });
    while (calls.length === 0) await settle();
    watch[Symbol.dispose]();
    await settle();
    const { length } = calls;
    for (let i = 0; i < 10; i += 1) await settle();
    assert.equal(calls.length, length);
  });
});

const endsIn = (minutes: number) => new Date(NOW + minutes * MINUTE_MS).toISOString();

/** Passes moments in which what the control plane says is looked at; says what was warned of: the grant, and minutes left. */
async function warned(moments: readonly (readonly [minute: number, answer: GrantView | 'away'])[]) {
  const warnings: [grant: string, minutesLeft: number][] = [];
  let now = NOW;
  let looks = 0;
  let answer: GrantView | 'away' = 'away';
  const transport: HttpTransport = () => {
    looks += 1;
    if (answer === 'away') return Promise.reject(new OamError('unreachable', 'Down.'));
    return Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(answer) });
  };
  const watch = watchGrant({
    grantId: 'g1',
    client: createControlPlaneClient({
      baseUrl: 'https://oam.example',
      accessToken: () => Promise.resolve('access-token'),
      transport,
    }),
    clock: { nowMs: () => now },
    everyMs: 1,
    onEnding: ({ id }, leftMs) => warnings.push([id, leftMs / MINUTE_MS]),
    onOver: () => assert.fail('Nothing is over.'),
  });
  for (const [minute, said] of moments) {
    now = NOW + minute * MINUTE_MS;
    answer = said;
    const before = looks;
    // One may be under way already; when the second begins, the first that sees this moment has been judged.
    while (looks < before + 3) await settle();
  }
  watch[Symbol.dispose]();
  return warnings;
}

describe('oam exec: warnings before the access ends', () => {
  const hour = grantView({ endsAt: endsIn(60) });

  it('come at 15 and at 5 minutes, once each', async () => {
    const minutes = [0, 44, 45, 46, 50, 54, 55, 56, 59].map((minute) => [minute, hour] as const);
    assert.deepEqual(await warned(minutes), [
      ['g1', 15],
      ['g1', 5],
    ]);
  });

  it('do not come for a time that there never was', async () => {
    const quarter = grantView({ endsAt: endsIn(15) });
    assert.deepEqual(await warned([0, 1, 9, 10, 14].map((minute) => [minute, quarter])), [['g1', 5]]);
    const short = grantView({ endsAt: endsIn(5) });
    assert.deepEqual(await warned([0, 1, 4].map((minute) => [minute, short])), []);
  });

  it('are one where both were slept through, and none after the end', async () => {
    assert.deepEqual(
      await warned([
        [0, hour],
        [57, hour],
        [58, hour],
      ]),
      [['g1', 3]],
    );
    assert.deepEqual(
      await warned([
        [0, hour],
        [61, hour],
      ]),
      [],
    );
  });

  it('come though the control plane is away', async () => {
    assert.deepEqual(
      await warned([
        [0, hour],
        [45, 'away'],
        [55, 'away'],
      ]),
      [
        ['g1', 15],
        ['g1', 5],
      ],
    );
  });

  it('come anew before the end of what extends it', async () => {
    const longer = grantView({ endsAt: endsIn(90) });
    assert.deepEqual(
      await warned([
        [0, hour],
        [45, hour],
        [50, longer],
        [55, longer],
        [75, longer],
        [85, longer],
      ]),
      [
        ['g1', 15],
        ['g1', 15],
        ['g1', 5],
      ],
    );
  });

  it('say how long, and the command that keeps it', () => {
    const grant = grantView({ id: 'g2' });
    assert.equal(
      endingWords(grant, 15 * MINUTE_MS - 3_000, NOW),
      `The access ends at ${describeMoment(NOW + 15 * MINUTE_MS - 3_000, NOW)}, in 15 min; keep it with \`oam extend g2\`: Query the ranker.`,
    );
  });
});
