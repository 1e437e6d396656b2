import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';

import { type Change, inChange } from '../../../../src/control-plane/changes/change.ts';
import {
  createIssuer,
  type Issuer,
  type RoleTokenIntent,
} from '../../../../src/control-plane/issuer/issuer.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { freshStore, type TestStore } from '../database.ts';
import { createSeal as seal } from '../../../../src/control-plane/issuer/seal.ts';
import { issuerOptions, ISSUER_URL } from './ring.ts';

const NOW_MS = 1_800_000_000_500;

describe('the issuer', function () {
  this.timeout(30_000);
  let store: TestStore;
  let issuer: Issuer;
  const options = issuerOptions();

  before(async () => {
    store = await freshStore();
    issuer = await createIssuer(store, options);
  });
  after(() => store.close());

  const intent = {
    grantId: 'g-1',
    roleId: 'recsys-deployer',
    audience: 'account-1',
    nowMs: NOW_MS,
    expiresAtMs: NOW_MS + 15 * 60_000,
  };

  const sign = async (said: RoleTokenIntent, by: Issuer = issuer): Promise<string> => {
    const signer = await inChange(store.db, (change: Change) => by.signer(change));
    return signer.sign(said);
  };

  const verify = async (token: string, audience = 'account-1') =>
    jwtVerify(token, createLocalJWKSet(await issuer.jwks()), {
      issuer: ISSUER_URL,
      audience,
      algorithms: ['RS256'],
      currentDate: new Date(NOW_MS),
    });

  it('signs tokens that its published keys verify', async () => {
    const { payload, protectedHeader } = await verify(await sign(intent));
    assert.equal(payload.sub, 'grant:g-1');
    assert.equal(payload['oam_role'], 'recsys-deployer');
    assert.equal(payload.aud, 'account-1');
    assert.equal(payload.iat, 1_800_000_000);
    assert.equal(payload.nbf, 1_800_000_000);
    assert.equal(protectedHeader.alg, 'RS256');
    assert.equal(protectedHeader.kid, (await issuer.jwks()).keys[0]?.kid);
  });

  it('says nothing that a policy for people could take for a name', async () => {
    const claims = Object.keys(decodeJwt(await sign(intent)));
    assert.deepEqual(claims.sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'nbf', 'oam_role', 'sub']);
  });

  it('lets no token outlive its grant, not by a fraction of a second, nor an hour', async () => {
    const short = decodeJwt(await sign({ ...intent, expiresAtMs: NOW_MS + 90_400 }));
    assert.equal(short.exp, Math.floor((NOW_MS + 90_400) / 1_000));
    const long = decodeJwt(await sign({ ...intent, expiresAtMs: NOW_MS + 86_400_000 }));
    assert.equal(long.exp, Math.floor((NOW_MS + 3_600_000) / 1_000));
    await assert.rejects(sign({ ...intent, expiresAtMs: NOW_MS }), RangeError);
    await assert.rejects(sign({ ...intent, expiresAtMs: NOW_MS + 400 }), RangeError);
  });

  it('gives each token an id of its own', async () => {
    const [one, two] = await Promise.all([sign(intent), sign(intent)]);
    assert.notEqual(decodeJwt(one).jti, decodeJwt(two).jti);
  });

  it('is refused for another audience, after its end, and with another key', async () => {
    const token = await sign(intent);
    await assert.rejects(verify(token, 'account-2'), /"aud"/);
    await assert.rejects(
      jwtVerify(token, createLocalJWKSet(await issuer.jwks()), {
        currentDate: new Date(NOW_MS + 16 * 60_000),
      }),
      /"exp"/,
    );
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await new SignJWT(decodeJwt(token))
      .setProtectedHeader({ alg: 'RS256', kid: decodeProtectedHeader(token).kid ?? '' })
      .sign(privateKey);
    await assert.rejects(verify(forged), /signature/);
  });

  it('publishes public halves only, and metadata whose issuer is its own', async () => {
    const { keys } = await issuer.jwks();
    assert.equal(keys.length, 1);
    assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
    const metadata = issuer.discovery();
    assert.equal(metadata.issuer, ISSUER_URL);
    assert.equal(metadata.jwks_uri, `${ISSUER_URL}/.well-known/jwks.json`);
    assert.deepEqual(metadata.id_token_signing_alg_values_supported, ['RS256']);
  });

  it('keeps its key over a restart, the same for all replicas', async () => {
    const again = await createIssuer(store, options);
    assert.deepEqual(await again.jwks(), await issuer.jwks());
    await verify(await sign(intent, again));

    const another = await freshStore();
    try {
      const replicas = await Promise.all([1, 2, 3, 4].map(() => createIssuer(another, options)));
      const kids = await Promise.all(replicas.map(async (replica) => (await replica.jwks()).keys[0]?.kid));
      assert.equal(new Set(kids).size, 1);
      assert.notEqual(kids[0], (await issuer.jwks()).keys[0]?.kid);
    } finally {
      await another.close();
    }
  });

  it('stores the private half sealed', async () => {
    const row = await store.db.selectFrom('signing_key').selectAll().executeTakeFirstOrThrow();
    const stored = (row.sealed_private?.toString('latin1') ?? '') + JSON.stringify(row.public_jwk);
    assert.doesNotMatch(stored, /PRIVATE KEY|"d":/);
    assert.ok(row.sealed_private);
    assert.match(seal(options.sealKeys).open(row.sealed_private, row.kid).secret, /BEGIN PRIVATE KEY/);
  });
});

describe('the seal', () => {
  const key = randomBytes(32).toString('base64');

  it('notices when a sealed key was changed, or put under another name', () => {
    const good = seal({ key });
    const sealed = good.close('the secret', 'kid-1');
    assert.deepEqual(good.open(sealed, 'kid-1'), { secret: 'the secret', stale: false });
    assert.notDeepEqual(good.close('the secret', 'kid-1'), sealed);
    for (const at of [0, 14, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(
        () => good.open(changed, 'kid-1'),
        (error) => hasCode(error, 'seal_broken'),
      );
    }
    for (const [bytes, context] of [
      [sealed, 'kid-2'],
      [sealed.subarray(0, 10), 'kid-1'],
      [Buffer.alloc(0), 'kid-1'],
    ] as const) {
      assert.throws(
        () => good.open(bytes, context),
        (error) => hasCode(error, 'seal_broken'),
      );
    }
  });

  it('opens what the previous key sealed, says so, and seals nothing with it', () => {
    const next = randomBytes(32).toString('base64');
    const old = seal({ key }).close('the secret', 'kid');
    const both = seal({ key: next, previous: key });
    assert.deepEqual(both.open(old, 'kid'), { secret: 'the secret', stale: true });
    assert.deepEqual(seal({ key: next }).open(both.close('the secret', 'kid'), 'kid'), {
      secret: 'the secret',
      stale: false,
    });
    assert.throws(
      () => seal({ key: next }).open(old, 'kid'),
      (error) => hasCode(error, 'seal_broken') && error.message.includes('OAM_KEY_PREVIOUS'),
    );
  });

  it('says how to make a key when it is given none that is one', () => {
    for (const wrong of ['', 'short', randomBytes(31).toString('base64'), `${key}x`, `!${key.slice(1)}`]) {
      for (const keys of [{ key: wrong }, { key, previous: wrong }]) {
        assert.throws(
          () => seal(keys),
          (error) => hasCode(error, 'seal_key_invalid') && !(wrong !== '' && error.message.includes(wrong)),
        );
      }
    }
  });
});
