import assert from 'node:assert/strict';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { createRefusedTokens } from '../../../../src/control-plane/audit/refused-tokens.ts';
import { createSessionRecord } from '../../../../src/control-plane/audit/sessions.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import type { Principal } from '../../../../src/domain/principal.ts';
import { EDITOR_CLIENT_ID, PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { startWorld, type World } from '../world.ts';

describe('sign-ins', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const knock = async (token: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'user-agent': 'a test' };
    return (await world.http({ method: 'GET', path: '/api/v1/me', headers })).status;
  };
  const rows = async (event: string) =>
    world.store.db.selectFrom('audit').selectAll().where('event', '=', event).orderBy('at').execute();

  it('are on the record at the first use of each token, and not at the others', async () => {
    const first = await world.token('ana', { jti: 'first', azp: EDITOR_CLIENT_ID });
    const second = await world.token('ana', { jti: 'second' });
    await Promise.all([first, first, second, first].map(knock));
    await Promise.all([second, first].map(knock));
    const seen = (await rows('session.seen')).filter(
      (row) => (row.actor as { sub: string }).sub === PEOPLE.ana.sub,
    );
    const details = seen.map((row) => row.detail as Record<string, unknown>);
    assert.deepEqual(details.map((detail) => detail['tokenId']).sort(), ['first', 'second']);
    const detail = details.find(({ tokenId }) => tokenId === 'first');
    assert.equal(detail?.['clientId'], EDITOR_CLIENT_ID);
    assert.equal(detail['address'], '127.0.0.1');
    assert.equal(detail['userAgent'], 'a test');
    assert.ok(!JSON.stringify(details).includes(first));
  });

  it('are one row for all replicas, and over a restart', async () => {
    const token = await world.token('omar', { jti: 'shared' });
    const of = async () =>
      (await rows('session.seen')).filter((row) => (row.detail as { tokenId?: string }).tokenId === 'shared')
        .length;
    assert.equal(await knock(token), 200);
    await world.restart();
    assert.equal(await knock(token), 200);
    assert.equal(await of(), 1);
    const replica = createSessionRecord({
      db: world.store.db,
      debt: createAuditDebt(world.dataFolder, silentLogger),
      logger: silentLogger,
    });
    const principal: Principal = {
      ...{ iss: world.identityProvider.issuer, sub: PEOPLE.omar.sub, userName: 'o', displayName: 'O' },
      ...{ groups: { kind: 'listed' as const, names: [] }, duty: undefined, seenAtMs: 0 },
    };
    const bearer = { principal, expiresAtMs: 0, issuedAtMs: 0, tokenId: 'shared', clientId: undefined };
    await replica.seen(bearer, { address: '::1', userAgent: undefined });
    assert.equal(await of(), 1);
  });

  it('that fail are on the record without a flood, and without a name that nothing vouches for', async () => {
    const before = (await rows('authentication.refused')).length;
    const forged = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from(
      JSON.stringify({ iss: world.identityProvider.issuer, sub: PEOPLE.lena.sub }),
    ).toString('base64url')}.c2lnbmF0dXJl`;
    for (let attempt = 0; attempt < 40; attempt += 1) assert.equal(await knock(forged), 401);
    const wrong = await world.token('lena', { aud: 'another-service' });
    for (let attempt = 0; attempt < 40; attempt += 1) assert.equal(await knock(wrong), 401);
    const after = (await rows('authentication.refused')).slice(before);
    assert.deepEqual(
      after.map((row) => [(row.detail as { code: string }).code, (row.actor as { sub: string } | null)?.sub]),
      [
        ['not_signed_in', undefined],
        ['wrong_audience', PEOPLE.lena.sub],
      ],
    );
    // The round ends at the latest with the control plane.
    await world.restart();
    const counted = (await rows('authentication.refused')).slice(before + 2);
    assert.deepEqual(counted.map((row) => (row.detail as { repeated: number }).repeated).sort(), [39, 39]);
  });

  it('that fail for ever so many people are a bounded number of rows', async () => {
    const before = (await rows('authentication.refused')).length;
    const tokens = createRefusedTokens({
      db: world.store.db,
      debt: createAuditDebt(world.dataFolder, silentLogger),
      logger: silentLogger,
    });
    const caller = { address: '::1', userAgent: undefined };
    for (let person = 0; person < 400; person += 1) {
      const actor = { iss: 'i', sub: `person-${person}`, userName: 'p', displayName: 'P' };
      await tokens.note({ code: 'session_expired', actor, door: 'getMe', caller });
    }
    await tokens.endRound();
    const details = (await rows('authentication.refused')).slice(before).map((row) => row.detail);
    assert.equal(details.length, 202);
    const repeated = details.map((detail) => (detail as { repeated?: number }).repeated ?? 1);
    assert.equal(
      repeated.reduce((sum, count) => sum + count, 0),
      400,
    );
  });
});
