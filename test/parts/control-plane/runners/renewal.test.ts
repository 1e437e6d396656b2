import assert from 'node:assert/strict';

import fc from 'fast-check';

import { startRunner } from '../../../../src/cli/exec/runner-session.ts';
import { createSignalDesk } from '../../../../src/cli/signals.ts';
import { takeUpNextToken } from '../../../../src/control-plane/runners/next-tokens.ts';
import { sha256Hex } from '../../../../src/domain/canonical.ts';
import { OamError } from '../../../../src/domain/errors.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { MINUTE_MS, SECOND_MS } from '../../../../src/domain/time.ts';
import { createControlPlaneClient } from '../../../../src/protocol/client.ts';
import type { RunnerView } from '../../../../src/protocol/runners.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const MACHINE = { body: { machine: 'a-machine-that-runs-things' } };

describe('the renewal of a program that took a grant over', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const as = (token: string | undefined) =>
    createControlPlaneClient({
      baseUrl: world.url,
      accessToken: () => Promise.resolve(token),
      transport: axiosTransport(),
    });

  /** A program under a grant of its own, that lives for two hours. */
  const takeOver = async () => {
    const request = await world.ask('ana', 'recsys-deployer', 120);
    const { version } = request;
    const grantId = grantOf(
      await world.client('lena').call('approveRequest', { params: { id: request.id }, version, body: {} }),
    );
    await world.until(grantId, 'active');
    const offer = async (): Promise<string> =>
      (await world.client('ana').call('handOver', { params: { id: grantId }, body: { name: 'nightly' } }))
        .code;
    return {
      offer,
      redeem: async (): Promise<string> => {
        const body = { code: await offer(), ...MACHINE.body };
        return (await as(undefined).call('redeemRunner', { body })).accessToken;
      },
      renew: async (token: string): Promise<string> =>
        (await as(token).call('renewRunner', MACHINE)).accessToken,
      use: (token: string) => as(token).call('getGrant', { params: { id: grantId } }),
      runner: async (): Promise<RunnerView | undefined> =>
        (await world.client('ana').call('listRunners', { params: { id: grantId } })).items[0],
      async [Symbol.asyncDispose]() {
        await world.client('ana').call('returnGrant', { params: { id: grantId } });
      },
    };
  };

  it('whose answer is lost takes nothing away, however long nobody comes after it', async () => {
    await using program = await takeOver();
    const token = await program.redeem();
    await world.store.advance(8 * MINUTE_MS);
    await program.renew(token);
    await world.store.advance(5 * MINUTE_MS);
    assert.equal((await program.use(token)).state, 'active');
    await program.renew(token);
    // The control plane is away past the end of the token.
    await world.store.advance(40 * MINUTE_MS);
    const next = await program.renew(token);
    assert.equal((await program.use(next)).state, 'active');
    assert.equal((await program.runner())?.state, 'running');
  });

  it('lets oam exec go on after the connection was cut on the way back, and the control plane away', async () => {
    await using program = await takeOver();
    const wire = axiosTransport();
    let aheadMs = (await world.store.nowMs()) - Date.now();
    const state = { isCut: false, isAway: false, lost: 0 };
    const session = await startRunner(world.url, await program.offer(), {
      transport: async (request) => {
        if (state.isAway) throw new OamError('unreachable', 'Away.');
        const answer = await wire(request);
        if (!state.isCut || !request.url.endsWith('/renew')) return answer;
        state.lost += 1;
        throw new OamError('unreachable', 'The connection was cut.');
      },
      clock: { nowMs: () => aheadMs + Date.now() },
      redactor: createRedactor(),
      signals: createSignalDesk(),
    });
    const wait = async (ms: number): Promise<void> => {
      aheadMs += ms;
      await world.store.advance(ms);
    };
    const look = () => session.client.call('getGrant', { params: { id: session.grantId } });

    await wait(8 * MINUTE_MS);
    state.isCut = true;
    assert.equal((await look()).state, 'active');
    assert.ok(state.lost > 0);
    state.isAway = true;
    await wait(2 * MINUTE_MS);
    await assert.rejects(look());
    await wait(20 * MINUTE_MS);
    Object.assign(state, { isCut: false, isAway: false });
    assert.equal((await look()).state, 'active');
    assert.equal((await program.runner())?.state, 'running');
    await session.end();
  });

  it('is done when its token is used: what is on its way with the former one arrives, and gets no other', async () => {
    await using program = await takeOver();
    const former = await program.redeem();
    const token = await program.renew(former);
    assert.equal((await program.use(former)).state, 'active');
    await program.use(token);
    assert.equal((await program.use(former)).state, 'active');
    await refused(program.renew(former), 'session_expired');
    await refused(
      as(former).call('renewRunner', { body: { machine: 'another-machine-than-before' } }),
      'not_allowed',
    );
    assert.equal((await program.runner())?.endedBy, 'misused');
  });

  it('ends the program where the former token comes a minute after the next one was used', async () => {
    await using program = await takeOver();
    const former = await program.redeem();
    const token = await program.renew(former);
    await world.store.advance(5 * MINUTE_MS);
    await program.use(token);
    await world.store.advance(MINUTE_MS + SECOND_MS);
    await refused(program.renew(former), 'session_expired');
    assert.equal((await program.runner())?.endedBy, 'misused');
    await refused(program.use(token), 'session_expired');
  });

  it('has one outcome: a token that was given beside the one in use ends the program', async () => {
    await using program = await takeOver();
    const former = await program.redeem();
    const kept = await program.renew(former);
    const token = await program.renew(former);
    await program.use(token);
    await refused(program.use(kept), 'not_signed_in');
    assert.equal((await program.runner())?.endedBy, 'misused');
    await refused(program.use(token), 'session_expired');
  });

  it('goes on with whichever came into use where several were asked for, also at once', async () => {
    await using program = await takeOver();
    const former = await program.redeem();
    const given = await Promise.all(Array.from({ length: 12 }, () => program.renew(former)));
    const token = given.at(-1) ?? '';
    const last = await program.renew(former);
    await Promise.all(Array.from({ length: 8 }, () => program.use(last)));
    await refused(program.renew(former), 'session_expired');
    assert.equal((await program.runner())?.state, 'running');
    assert.notEqual(token, last);
    const { rows, waiting } = await storedTokens();
    assert.deepEqual(waiting, []);
    for (const each of [former, ...given, last]) assert.ok(!rows.includes(each));
  });

  it('finds a token that came into use between the two looks for it', async () => {
    await using program = await takeOver();
    const token = await program.renew(await program.redeem());
    await program.use(token);
    // Whoever looks here found it nowhere among those in use, as another call with it was not through yet.
    const found = await takeUpNextToken(world.store.db, sha256Hex(token));
    assert.equal(found?.id, (await program.runner())?.id);
    assert.equal(await takeUpNextToken(world.store.db, sha256Hex('oamr_that-nobody-was-given')), undefined);
  });

  it('tells a program whose grant ended what became of it, also where it had not come back since', async () => {
    const program = await takeOver();
    const next = await program.renew(await program.redeem());
    await program[Symbol.asyncDispose]();
    assert.equal((await program.use(next)).endReason, 'returned');
    await refused(program.renew(next), 'grant_not_active');
  });

  it('never costs an honest program its life, whatever is lost; and a former token of it ends it', async () => {
    const step = fc.oneof(
      fc.constant({ kind: 'use' as const }),
      fc.record({ kind: fc.constant('renew' as const), isLost: fc.boolean() }),
      fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 5 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 20 }), async (steps) => {
        await using program = await takeOver();
        const tokens = [await program.redeem()];
        let leftMinutes = 15;
        for (const each of steps) {
          const token = tokens.at(-1) ?? '';
          if (each.kind === 'wait') {
            await world.store.advance(each.minutes * MINUTE_MS);
            leftMinutes -= each.minutes;
          } else if (each.kind === 'renew') {
            const next = await program.renew(token);
            if (each.isLost) continue;
            tokens.push(next);
            leftMinutes = 15;
          } else if (leftMinutes > 0) {
            assert.equal((await program.use(token)).state, 'active');
          }
        }
        assert.equal((await program.runner())?.state, 'running');
        const former = tokens.at(-2);
        if (former === undefined) return;
        await program.renew(tokens.at(-1) ?? '');
        await world.store.advance(MINUTE_MS + SECOND_MS);
        await assert.rejects(program.use(former));
        assert.equal((await program.runner())?.endedBy, 'misused');
      }),
      { numRuns: 5 },
    );
  });

  async function storedTokens(): Promise<{ rows: string; waiting: unknown[] }> {
    const { db } = world.store;
    const waiting = await db.selectFrom('runner_next_token').selectAll().execute();
    const runners = await db.selectFrom('runner').selectAll().execute();
    const spent = await db.selectFrom('runner_spent_token').selectAll().execute();
    return { rows: JSON.stringify([runners, spent]), waiting };
  }
});
