import assert from 'node:assert/strict';

import { connect } from '../../../src/cli/connection/connect.ts';
import { login, logout, status } from '../../../src/cli/commands/sign-in.ts';
import { describeMoment } from '../../../src/cli/duration.ts';
import { assertWithinLimits } from '../../../src/cli/exec/lasting.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/time.ts';
import {
  memoryAccountStores,
  principalOf,
  type Session,
  signInWorkspaceAt,
} from '../../../src/identity/index.ts';
import type { SessionLimits } from '../../../src/protocol/configuration.ts';
import { actFrom, storeOf } from '../extension/account-stores.ts';
import { fakeControlPlane, fakeInvocation, NOW, ok } from './fake-control-plane.ts';

const FLAGS = { keychain: true };

const IDLE = 'Your company ends sessions that are not used for a while. Sign in again.: 30 min';

/** Workspaces that want a sign-in of their own. */
const OWN_SIGN_IN = ['ml-dev', 'ml-test', 'ml-old', 'ml-none'].map((name) => ({
  ...{ name, host: `https://${name}` },
  tokenSource: 'databricks-sign-in' as const,
}));

describe('oam: the session', () => {
  let nowMs: number;
  let usedAtMs: number | undefined;
  let stores: ReturnType<typeof memoryAccountStores>;
  beforeEach(() => {
    nowMs = NOW;
    usedAtMs = undefined;
    stores = memoryAccountStores();
  });

  const configuration = (sessions: SessionLimits) =>
    ok({
      product: 'databricks-ml-oam',
      version: '1',
      identity: { issuer: 'http://127.0.0.1:9', clientId: 'c', audience: 'a', scopes: [] },
      workspaces: [{ name: 'ml-prod', host: 'https://prod' }, ...OWN_SIGN_IN],
      sessions,
    });
  /** A command: what it keeps outlives it where there is a keychain. */
  const command = async (o: { kept?: boolean; limits?: SessionLimits } = {}) => {
    const { transport } = fakeControlPlane({ 'GET /configuration': [configuration(o.limits ?? {})] });
    const fake = fakeInvocation({
      transport,
      clock: { nowMs: () => nowMs },
      env: { OAM_URL: 'https://oam.example', XDG_STATE_HOME: '/dev/null', HOME: '/dev/null' },
    });
    const keychain = {
      stores: () => stores,
      lastUse: { read: () => usedAtMs, write: (atMs: number) => void (usedAtMs = atMs) },
    };
    const connection = await connect(fake.invocation, FLAGS, () =>
      Promise.resolve((o.kept ?? true) ? keychain : undefined),
    );
    return { ...fake, connection };
  };
  const ana: Session = {
    ...{ issuer: 'http://127.0.0.1:9', subject: 'ana', userName: 'ana@example.com', displayName: 'Ana' },
    ...{ accessToken: 'access-token-1', accessTokenExpiresAtMs: NOW + 100 * HOUR_MS },
    ...{ idToken: 'id-token-1', idTokenExpiresAtMs: NOW + 100 * HOUR_MS },
    beganAtMs: NOW,
  };
  const overLimit = (error: unknown): boolean => hasCode(error, 'session_over_limit');

  it('is not begun by login where nothing could keep it, which says so; then each process has its own', async () => {
    const { connection, invocation } = await command({ kept: false });
    await assert.rejects(login(FLAGS, connection, invocation), (error) => hasCode(error, 'no_keychain'));
    await connection.session.accept(ana);
    assert.equal((await connection.signedIn()).subject, 'ana');
    assert.equal(await (await command({ kept: false })).connection.session.current(), undefined);
  });

  it('is told by status, without a token in it, and ended by logout, for whoever comes after', async () => {
    const first = await command();
    await first.connection.session.accept(ana);
    await status(first.connection, FLAGS, first.invocation);
    await status(first.connection, { ...FLAGS, json: true }, first.invocation);
    const answers = first.answers.join('\n');
    assert.match(answers, /Signed in {6}Ana \(ana@example\.com\), until .*\nKept .* keychain/);
    assert.ok(!answers.includes('-token-1'));
    const second = await command();
    await logout(second.connection, second.invocation);
    assert.deepEqual(second.answers, ['Signed out Ana (ana@example.com).']);
    const third = await command();
    await logout(third.connection, third.invocation);
    await status(third.connection, FLAGS, third.invocation);
    assert.match(third.answers.join('\n'), /^Nobody is signed in\.\n[^]*nobody; sign in with: oam login/);
  });

  it('is told by status with how one stands at each workspace that wants a sign-in of its own', async () => {
    const { connection, invocation, answers } = await command();
    await status(connection, FLAGS, invocation);
    assert.doesNotMatch(answers.join('\n'), /^Databricks/m);
    await connection.session.accept(ana);
    const databricks = await connection.session.databricks();
    const keep = async (name: string, expiresAtMs: number, refreshToken?: string): Promise<void> => {
      const workspace = signInWorkspaceAt(OWN_SIGN_IN, `https://${name}`);
      assert(workspace);
      await databricks.accept(workspace, principalOf(ana), {
        ...{ accessToken: `token-of-${name}`, expiresAtMs, refreshToken },
      });
    };
    await keep('ml-dev', NOW + HOUR_MS, 'refresh-token-of-ml-dev');
    await keep('ml-test', NOW + HOUR_MS);
    await keep('ml-old', NOW - 1);
    answers.length = 0;
    await status(connection, FLAGS, invocation);
    await status(connection, { ...FLAGS, json: true }, invocation);
    const json: unknown = JSON.parse(answers.pop() ?? '');
    assert.deepEqual(
      answers.filter((line) => line.startsWith('Databricks')),
      [
        'Databricks     ml-dev, signed in, and renewed as it is used',
        `Databricks     ml-test, signed in, until ${describeMoment(NOW + HOUR_MS, NOW)}`,
        'Databricks     ml-old, not signed in; sign in with: oam login --workspace ml-old',
        'Databricks     ml-none, not signed in; sign in with: oam login --workspace ml-none',
      ],
    );
    const until = new Date(NOW + HOUR_MS).toISOString();
    assert.deepEqual((json as { databricks: unknown }).databricks, [
      { workspace: 'ml-dev', signedIn: true, until: null },
      { workspace: 'ml-test', signedIn: true, until },
      { workspace: 'ml-old', signedIn: false, until: null },
      { workspace: 'ml-none', signedIn: false, until: null },
    ]);
    assert.ok(!JSON.stringify([answers, json]).includes('token-of-'));
  });

  it('goes on as whoever began though another account acts now, and ends when they are signed out', async () => {
    const { connection } = await command();
    await connection.session.accept(ana);
    await connection.signedIn();
    await actFrom(stores, { ...ana, subject: 'lena', accessToken: 'access-token-of-lena' });
    await connection.session.changed();
    assert.equal(await connection.session.accessToken(), 'access-token-1');
    assert.equal((await (await command()).connection.signedIn()).subject, 'lena');
    await storeOf(stores, ana).clear();
    await stores.list.clear();
    await connection.session.changed();
    await assert.rejects(connection.session.accessToken(), (error) => hasCode(error, 'not_signed_in'));
  });

  it('tells a program that whoever it works as has signed out, and not that another account acts or a session ran out', async () => {
    const { connection } = await command();
    await connection.session.accept(ana);
    const told: string[] = [];
    connection.session.onLeft((leaving) => told.push(leaving));
    await actFrom(stores, { ...ana, subject: 'lena' });
    await connection.session.changed();
    await storeOf(stores, ana).clear();
    await connection.session.changed();
    await connection.session.accept(ana);
    await connection.session.changed();
    assert.equal(told.length, 0, told.join());
    await storeOf(stores, ana).clear();
    await stores.list.clear();
    await connection.session.changed();
    await connection.session.changed();
    assert.deepEqual(told, ['signed_out']);
    connection.session.onLeft((leaving) => told.push(`late: ${leaving}`));
    assert.deepEqual(told, ['signed_out', 'late: signed_out']);
  });

  it('tells a program that somebody else has signed in in the place of whoever it works as', async () => {
    const { connection } = await command();
    await connection.session.accept(ana);
    const told: string[] = [];
    connection.session.onLeft((leaving) => told.push(leaving));
    await (await command()).connection.session.accept({ ...ana, subject: 'lena' });
    await connection.session.changed();
    assert.deepEqual(told, ['principal_changed']);
  });

  for (const kept of [true, false]) {
    describe(kept ? 'in the keychain' : 'of the process', () => {
      it('ends after the idle time, counted from the last command, and says so', async () => {
        const { connection, invocation, answers } = await command({ kept, limits: { idleMinutes: 30 } });
        await connection.session.accept(ana);
        for (let step = 0; step < 3; step += 1) {
          nowMs += 29 * MINUTE_MS;
          assert.equal((await connection.signedIn()).subject, 'ana');
        }
        nowMs += 15 * MINUTE_MS;
        // To look is no use.
        await status(connection, FLAGS, invocation);
        assert.match(answers.join('\n'), /Signed in {6}Ana/);
        nowMs += 15 * MINUTE_MS;
        await status(connection, FLAGS, invocation);
        assert.equal(answers.at(-1), `Signed in      nobody; ${IDLE}`);
        await assert.rejects(connection.session.accessToken(), overLimit);
        assert.equal(await storeOf(stores, ana).read(), undefined);
      });

      it('ends so long after the sign-in, however much it is used', async () => {
        const { connection, invocation, answers } = await command({ kept, limits: { absoluteHours: 2 } });
        await connection.session.accept(ana);
        for (let step = 0; step < 11; step += 1) {
          nowMs += 10 * MINUTE_MS;
          assert.equal((await connection.signedIn()).subject, 'ana');
        }
        nowMs += 10 * MINUTE_MS;
        await status(connection, FLAGS, invocation);
        assert.equal(
          answers.at(-1),
          'Signed in      nobody; Your company ends sessions after a while. Sign in again.: 2 h',
        );
      });

      it('gives a program that hangs on no grant no token any more, and lets one under a grant go on', async () => {
        const { connection } = await command({ kept, limits: { idleMinutes: 30 } });
        await connection.session.accept(ana);
        nowMs += 40 * MINUTE_MS;
        assert.equal((await connection.session.subjectToken()).token, 'id-token-1');
        await assert.rejects(connection.withinLimits.subjectToken(), overLimit);
      });
    });
  }

  it('that was left too long while no command ran is not made good by the next one', async () => {
    const limits = { idleMinutes: 30 };
    await (await command({ limits })).connection.session.accept(ana);
    nowMs += 31 * MINUTE_MS;
    const { connection, notes } = await command({ limits });
    // A sign-in is begun, and there is no provider for it.
    await assert.rejects(connection.signedIn(), (error) => hasCode(error, 'identity_provider_unavailable'));
    assert.deepEqual(notes, [IDLE]);
    assert.equal(await storeOf(stores, ana).read(), undefined);
  });

  it('counts as used when it began, where nobody knows better', async () => {
    await actFrom(stores, ana);
    nowMs += 31 * MINUTE_MS;
    const { connection } = await command();
    await connection.session.hold({ idleMinutes: 30 }, true);
    assert.equal(await connection.session.current(), undefined);
  });

  it('is not begun for a program that needs it longer than the company allows', () => {
    const need = (hours: number) => () => {
      assertWithinLimits(ana, { absoluteHours: 8 }, hours * 60, NOW + HOUR_MS);
    };
    assert.doesNotThrow(need(7));
    assert.throws(need(8), (error) => hasCode(error, 'session_too_short'));
    assert.doesNotThrow(() => {
      assertWithinLimits(ana, undefined, 9_999, NOW);
    });
  });
});
