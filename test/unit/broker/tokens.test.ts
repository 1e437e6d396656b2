import assert from 'node:assert/strict';

import fc from 'fast-check';

import { type BrokerPath, MAX_ANSWERED_LIFE_MS, type Refusal } from '../../../src/broker/index.ts';
import { holdToken, LEAST_LIFE_MS } from '../../../src/broker/held-token.ts';
import { hasCode, OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { brokerWith, countingSource, HOST, SDK_HEADERS, sourceOf, standingClock } from './broker-harness.ts';
import { runs } from '../../reporting/properties.ts';

async function get(place: BrokerPath) {
  const answer = await fetch(place.url, { headers: SDK_HEADERS });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

/** Lets everything that is ready run, without waiting for time to pass. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('broker: tokens', () => {
  it('fetches once for many clients at the same moment', async () => {
    const clock = standingClock();
    const gate = Promise.withResolvers<void>();
    const source = countingSource(async () => {
      await gate.promise;
      return { accessToken: 'one', expiresAtMs: clock.nowMs() + 3_600_000 };
    });
    let arrived = 0;
    const uidOf = () => {
      arrived += 1;
      return Promise.resolve(process.geteuid?.());
    };
    await using broker = await brokerWith({ clock, uidOf });
    const place = broker.open({ host: HOST, source });
    const answers = Array.from({ length: 20 }, () => get(place));
    // All of them are inside, and none has a token, before the first fetch comes back.
    while (arrived < 20) await settle();
    await settle();
    gate.resolve();
    for (const { status, json } of await Promise.all(answers)) {
      assert.deepEqual([status, json['access_token']], [200, 'one']);
    }
    assert.equal(source.calls, 1);
  });

  it('says the real end in whole seconds, rounded down, where it comes before the cap', async () => {
    const clock = standingClock(1_800_000_000_900);
    await using broker = await brokerWith({ clock });
    const place = broker.open({ host: HOST, source: sourceOf(clock, 45_500) });
    const { json } = await get(place);
    assert.equal(json['expires_on'], 1_800_000_046);
    assert.ok(Number.isInteger(json['expires_on']));
  });

  it('says no more than the cap, and again the cap later, with the same token', async () => {
    const clock = standingClock();
    const source = sourceOf(clock, 3_600_000);
    await using broker = await brokerWith({ clock });
    const place = broker.open({ host: HOST, source });
    assert.equal((await get(place)).json['expires_on'], (clock.nowMs() + MAX_ANSWERED_LIFE_MS) / 1_000);
    clock.advance(600_000);
    assert.equal((await get(place)).json['expires_on'], (clock.nowMs() + MAX_ANSWERED_LIFE_MS) / 1_000);
    assert.equal(source.calls, 1);
  });

  it('replaces a token ahead of its end without making anybody wait', async () => {
    const clock = standingClock();
    const gate = Promise.withResolvers<void>();
    const source = countingSource(async (call) => {
      if (call > 1) await gate.promise;
      return { accessToken: `token-${call}`, expiresAtMs: clock.nowMs() + 600_000 };
    });
    await using broker = await brokerWith({ clock });
    const place = broker.open({ host: HOST, source });
    await get(place);
    clock.advance(600_000 - 100_000);
    assert.equal((await get(place)).json['access_token'], 'token-1');
    assert.equal(source.calls, 2);
    gate.resolve();
    await settle();
    assert.equal((await get(place)).json['access_token'], 'token-2');
  });

  it('waits for a new token rather than hand out one that is about to expire', async () => {
    const clock = standingClock();
    const source = sourceOf(clock, 600_000);
    await using broker = await brokerWith({ clock });
    const place = broker.open({ host: HOST, source });
    await get(place);
    clock.advance(600_000 - LEAST_LIFE_MS + 1);
    assert.equal((await get(place)).json['access_token'], 'token-2');
  });

  it('refuses when the source has nothing but a token that is about to expire', async () => {
    const clock = standingClock();
    await using broker = await brokerWith({ clock });
    const place = broker.open({ host: HOST, source: sourceOf(clock, LEAST_LIFE_MS - 1) });
    const { status, json } = await get(place);
    assert.deepEqual([status, json['error']], [503, 'token_too_short']);
    assert.equal(json['access_token'], undefined);
  });

  it('uses the token in hand while the source fails, and does not ask it at every call', async () => {
    const clock = standingClock();
    const source = countingSource((call) => {
      if (call > 1) throw new OamError('identity_provider_unavailable', 'The provider is down.');
      return { accessToken: 'first', expiresAtMs: clock.nowMs() + 600_000 };
    });
    await using broker = await brokerWith({ clock, wait: clock.wait, answerWithinMs: 20 });
    const refusals: Refusal[] = [];
    const place = broker.open({ host: HOST, source, onRefusal: (refusal) => refusals.push(refusal) });
    await get(place);
    clock.advance(500_000);
    for (let i = 0; i < 5; i += 1) assert.equal((await get(place)).json['access_token'], 'first');
    assert.equal(source.calls, 2);
    clock.advance(1_000);
    await settle();
    assert.equal(source.calls, 3, 'a replacement is tried again whether anybody asks or not');
    for (let i = 0; i < 5; i += 1) await get(place);
    assert.equal(source.calls, 3);
    clock.advance(90_000);
    const { status, json } = await get(place);
    assert.deepEqual([status, json['error']], [503, 'identity_provider_unavailable']);
    assert.deepEqual(
      refusals.map(({ code }) => code),
      ['identity_provider_unavailable'],
    );
  });

  it('recovers by itself once the source does', async () => {
    const clock = standingClock();
    const source = countingSource((call) => {
      if (call === 1) throw new OamError('unreachable', 'Down.');
      return { accessToken: 'back', expiresAtMs: clock.nowMs() + 600_000 };
    });
    await using broker = await brokerWith({ clock, answerWithinMs: 20 });
    const place = broker.open({ host: HOST, source });
    assert.equal((await get(place)).status, 503);
    clock.advance(1_000);
    assert.equal((await get(place)).json['access_token'], 'back');
  });

  it('lets a program wait through trouble that passes, and tells it the reason of any other at once', async () => {
    const clock = { nowMs: () => Date.now() };
    const source = countingSource((call) => {
      if (call === 1) throw new OamError('databricks_unavailable', 'Down.');
      return { accessToken: 'back', expiresAtMs: clock.nowMs() + 600_000 };
    });
    await using broker = await brokerWith({ clock });
    assert.equal((await get(broker.open({ host: HOST, source }))).json['access_token'], 'back');
    const refused = countingSource(() => {
      throw new OamError('databricks_token_refused', 'No.');
    });
    assert.equal((await get(broker.open({ host: HOST, source: refused }))).status, 403);
    assert.equal(refused.calls, 1);
  });

  it('lets nobody wait longer than told, and says then what the trouble is', async () => {
    const source = countingSource(() => {
      throw new OamError('unreachable', 'Down.');
    });
    await using broker = await brokerWith({ answerWithinMs: 30 });
    const { status, json } = await get(broker.open({ host: HOST, source }));
    assert.deepEqual([status, json['error']], [503, 'unreachable']);
  });

  it('ends a wait with its path', async () => {
    const asked = Promise.withResolvers<void>();
    const clock = { nowMs: () => Date.now() };
    const source = countingSource(() => {
      asked.resolve();
      throw new OamError('unreachable', 'Down.');
    });
    await using broker = await brokerWith({ clock });
    const place = broker.open({ host: HOST, source });
    const answer = get(place);
    await asked.promise;
    await settle();
    place.end('grant_ended');
    assert.deepEqual((await answer).json['error'], 'grant_ended');
    assert.equal(source.calls, 1);
  });

  /** A clock, a source that fails as told, and what it holds. */
  function inTrouble(code: string, lifeMs = 600_000) {
    const clock = standingClock();
    const trouble = { on: true };
    const source = countingSource((call) => {
      if (trouble.on) throw new OamError(code, 'Down.');
      return { accessToken: `token-${call}`, expiresAtMs: clock.nowMs() + lifeMs };
    });
    const held = holdToken({
      ...{ source, clock, wait: clock.wait, logger: silentLogger, onFailure: () => undefined },
    });
    return { clock, trouble, source, held };
  }

  it('leaves a source that fails in peace for a while, and says meanwhile what was wrong', async () => {
    const { clock, source, held } = inTrouble('identity_provider_unavailable');
    const triedAtMs: number[] = [];
    const startMs = clock.nowMs();
    for (let second = 0; second < 60; second += 1) {
      const before = source.calls;
      await assert.rejects(held.get(), (error) => hasCode(error, 'identity_provider_unavailable'));
      if (source.calls > before) triedAtMs.push((clock.nowMs() - startMs) / 1_000);
      clock.advance(1_000);
    }
    assert.deepEqual(triedAtMs.slice(0, 3), [0, 1, 3]);
    const pauses = triedAtMs.slice(1).map((at, index) => at - (triedAtMs[index] ?? 0));
    assert.ok(Math.max(...pauses) <= 2, 'somebody who waits for a token is refused for long');
    assert.ok(source.calls < 35, String(source.calls));
  });

  it('tries ever more rarely while there is a token in hand, more often as its end comes near, and at once for one that is missing', async () => {
    const { clock, trouble, source, held } = inTrouble('unreachable');
    trouble.on = false;
    await held.get();
    trouble.on = true;
    clock.advance(300_000);
    await held.get();
    const triedAtS: number[] = [];
    for (let second = 0; second < 280; second += 1) {
      const calls = source.calls;
      await settle();
      if (source.calls > calls) triedAtS.push(second);
      clock.advance(1_000);
    }
    const pauses = triedAtS.slice(1).map((at, index) => at - (triedAtS[index] ?? 0));
    assert.deepEqual(pauses.slice(0, 2), [2, 4]);
    assert.ok(Math.max(...pauses) >= 24, 'it is asked as often as ever');
    assert.ok(source.calls < 30, String(source.calls));
    // Less than a minute before the end there are tries left, and each leaves time for the next.
    assert.ok(triedAtS.filter((at) => at >= 230).length >= 4, String(triedAtS));
    const before = source.calls;
    clock.advance(600_000);
    await settle();
    clock.advance(600_000);
    await settle();
    assert.equal(source.calls, before, 'nobody asks, and the token is gone: nothing is tried any more');
    trouble.on = false;
    assert.match((await held.get()).accessToken, /token-/);
  });

  it('replaces a token that is in use although nobody asks in that moment, and lets one that nobody uses expire', async () => {
    const { clock, trouble, source, held } = inTrouble('unreachable');
    trouble.on = false;
    await held.get();
    await held.get();
    clock.advance(300_000);
    await settle();
    assert.equal(source.calls, 2);
    clock.advance(300_000);
    await settle();
    assert.equal(source.calls, 2, 'nobody has asked since');
  });

  it('does not pause where somebody only has to sign in', async () => {
    const { trouble, source, held } = inTrouble('not_signed_in');
    for (let i = 0; i < 3; i += 1) await assert.rejects(held.get());
    assert.equal(source.calls, 3);
    trouble.on = false;
    assert.equal((await held.get()).accessToken, 'token-4');
  });

  it('goes on at once when the machine has slept, and when its clock was put back during a pause', async () => {
    const { clock, trouble, source, held } = inTrouble('unreachable');
    trouble.on = false;
    await held.get();
    clock.advance(9 * 3_600_000);
    assert.equal((await held.get()).accessToken, 'token-2', 'a token of before the night');
    trouble.on = true;
    clock.advance(9 * 3_600_000);
    await assert.rejects(held.get());
    trouble.on = false;
    clock.advance(-3_600_000);
    await held.get();
    assert.ok(source.calls > 3);
  });

  it('says to sign in with 401, and never shows what an unknown failure held', async () => {
    await using broker = await brokerWith();
    const signedOut = broker.open({
      host: HOST,
      source: countingSource(() => {
        throw new OamError('not_signed_in', 'Sign in first.');
      }),
    });
    assert.deepEqual(await get(signedOut), {
      status: 401,
      json: { error: 'not_signed_in', message: 'Sign in first.' },
    });
    const broken = broker.open({
      host: HOST,
      source: countingSource(() => {
        throw new Error('secret-in-a-stack');
      }),
    });
    const { status, json } = await get(broken);
    assert.deepEqual([status, json['error']], [503, 'token_failed']);
    assert.ok(!JSON.stringify(json).includes('secret-in-a-stack'));
  });

  it('answers with the reason before the SDK stops listening, and has the token for the next call', async () => {
    const clock = standingClock();
    const gate = Promise.withResolvers<void>();
    const source = countingSource(async () => {
      await gate.promise;
      return { accessToken: 'late', expiresAtMs: clock.nowMs() + 600_000 };
    });
    await using broker = await brokerWith({ clock, answerWithinMs: 20 });
    const place = broker.open({ host: HOST, source });
    const { status, json } = await get(place);
    assert.deepEqual([status, json['error']], [503, 'token_slow']);
    gate.resolve();
    await settle();
    assert.equal((await get(place)).json['access_token'], 'late');
    assert.equal(source.calls, 1);
  });

  it('never hands out a token with less life than promised, whatever the life and the rhythm', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7_200_000 }),
        fc.array(fc.integer({ min: 0, max: 1_000_000 }), { maxLength: 20 }),
        async (lifeMs, pauses) => {
          const clock = standingClock();
          const held = holdToken({
            source: sourceOf(clock, lifeMs),
            clock,
            logger: silentLogger,
            onFailure: () => undefined,
          });
          for (const pause of pauses) {
            clock.advance(pause);
            const token = await held.get().catch((error: unknown) => {
              assert.ok(error instanceof OamError && error.code === 'token_too_short');
              assert.ok(lifeMs < LEAST_LIFE_MS);
            });
            if (token) assert.ok(token.expiresAtMs - clock.nowMs() >= LEAST_LIFE_MS);
            await settle();
          }
        },
      ),
      { numRuns: runs(50) },
    );
  });
});
