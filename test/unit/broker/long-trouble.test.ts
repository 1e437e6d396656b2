import assert from 'node:assert/strict';

import { holdToken } from '../../../src/broker/held-token.ts';
import type { BrokerPath, Refusal } from '../../../src/broker/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { brokerWith, countingSource, HOST, SDK_HEADERS, standingClock } from './broker-harness.ts';

const HOUR_MS = 3_600_000;

/** Lets everything that is ready run, without waiting for time to pass. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('broker: whoever makes tokens is away while nobody asks', () => {
  function held(o: { readonly keepsFed: boolean; readonly code?: string; readonly lifeMs?: number }) {
    const clock = standingClock();
    const longest = { waitMs: 0 };
    const wait: typeof clock.wait = (ms, signal) => {
      longest.waitMs = Math.max(longest.waitMs, ms);
      return clock.wait(ms, signal);
    };
    const away = { yes: false };
    const source = countingSource((call) => {
      if (away.yes) throw new OamError(o.code ?? 'unreachable', 'Down.');
      return { accessToken: `token-${call}`, expiresAtMs: clock.nowMs() + (o.lifeMs ?? HOUR_MS) };
    });
    const token = holdToken({
      ...{ source, clock, wait, logger: silentLogger, keepsFed: o.keepsFed },
      onFailure: () => undefined,
    });
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 10_000) {
        clock.advance(10_000);
        await settle();
      }
    };
    return { clock, away, source, token, pass, longest };
  }

  it('keeps a token in hand for hours where a program will ask, so that it is there in trouble too', async () => {
    const { away, token, pass, source } = held({ keepsFed: true });
    await token.get();
    await pass(5 * HOUR_MS);
    away.yes = true;
    assert.ok(token.inHand(), 'nothing in hand after five hours in which nobody asked');
    assert.equal(source.calls, 7, 'asked more often than a token needs it');
  });

  it('has one again as soon as there are any, also where the last one has run out and nobody asks', async () => {
    const { away, token, pass, source } = held({ keepsFed: true });
    await token.get();
    away.yes = true;
    await pass(2 * HOUR_MS);
    assert.equal(token.inHand(), undefined);
    const calls = source.calls;
    away.yes = false;
    await pass(40_000);
    assert.ok(token.inHand());
    assert.equal(source.calls, calls + 1);
  });

  it('looks at the clock again and again: a timer does not run while a machine sleeps, nor for a month', async () => {
    const { clock, source, token, longest } = held({ keepsFed: true, lifeMs: 30 * 24 * HOUR_MS });
    await token.get();
    clock.advance(29.5 * 24 * HOUR_MS);
    await settle();
    assert.equal(source.calls, 1);
    clock.advance(0.5 * 24 * HOUR_MS - 60_000);
    await settle();
    assert.equal(source.calls, 2);
    assert.ok(longest.waitMs <= 60_000, `waited for ${longest.waitMs} ms at a stretch`);
  });

  it('leaves a source in peace for good that refuses', async () => {
    const { away, token, pass, source } = held({ keepsFed: true, code: 'databricks_token_refused' });
    await token.get();
    away.yes = true;
    await pass(2 * HOUR_MS);
    const calls = source.calls;
    await pass(2 * HOUR_MS);
    assert.equal(source.calls, calls);
  });

  it('lets a token expire where nobody said that a program will ask', async () => {
    const { token, pass, source } = held({ keepsFed: false });
    await token.get();
    await pass(5 * HOUR_MS);
    assert.equal(token.inHand(), undefined);
    assert.equal(source.calls, 1);
  });
});

describe('broker: trouble that outlasts what a program waits', () => {
  /** A path whose source gives `lives` tokens and then fails. */
  async function inTrouble(code: string, lives: number) {
    const clock = standingClock();
    const refusals: Refusal[] = [];
    const broker = await brokerWith({ clock, wait: clock.wait, answerWithinMs: 20 });
    const source = countingSource((call) => {
      if (call > lives) throw new OamError(code, 'Down.');
      return { accessToken: 'first', expiresAtMs: clock.nowMs() + 600_000 };
    });
    const place = broker.open({ host: HOST, source, onRefusal: (refusal) => refusals.push(refusal) });
    return { clock, place, refusals, [Symbol.asyncDispose]: () => broker.close() };
  }

  const asPython = (place: BrokerPath) =>
    fetch(place.url, { headers: { ...SDK_HEADERS, 'User-Agent': 'python-requests/2.32.4' } });

  it("hangs up on Databricks' Python SDK, which ends the program at an answer without a token and asks again otherwise", async () => {
    await using trouble = await inTrouble('unreachable', 1);
    assert.equal((await asPython(trouble.place)).status, 200);
    trouble.clock.advance(600_000);
    await assert.rejects(asPython(trouble.place), TypeError);
    assert.deepEqual(
      trouble.refusals.map(({ code }) => code),
      ['unreachable'],
    );
  });

  it('tells everybody else the reason, and the Python SDK too where it has had no token yet', async () => {
    await using used = await inTrouble('unreachable', 1);
    assert.equal((await asPython(used.place)).status, 200);
    used.clock.advance(600_000);
    const answer = await fetch(used.place.url, { headers: SDK_HEADERS });
    assert.equal(((await answer.json()) as { error: string }).error, 'unreachable');
    await using fresh = await inTrouble('unreachable', 0);
    assert.equal((await asPython(fresh.place)).status, 503);
  });

  for (const code of ['session_expired', 'grant_ended', 'databricks_token_refused', 'token_failed']) {
    it(`tells the Python SDK at once what does not pass by itself: ${code}`, async () => {
      await using trouble = await inTrouble(code, 1);
      await asPython(trouble.place);
      trouble.clock.advance(600_000);
      const answer = await asPython(trouble.place);
      assert.equal(((await answer.json()) as { error: string }).error, code);
    });
  }
});
