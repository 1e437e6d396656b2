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

import { createIssuer, type Issuer } from '../../../../src/control-plane/issuer/issuer.ts';
import { createSeal } from '../../../../src/control-plane/issuer/seal.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { freshStore, type TestStore } from '../database.ts';

const KEY = randomBytes(32).toString('base64');

const OPTIONS = { publicUrl: 'http://127.0.0.1:4200', key: KEY };

const NOW_MS = 1_800_000_000_500;

describe('the issuer', function () {
  this.timeout(30_000);
  let store: TestStore;
  let issuer: Issuer;

  before(async () => {
    store = await freshStore();
    issuer = await createIssuer(store, OPTIONS);
  });
  after(() => store.close());

  const intent = {
    grantId: 'g-1',
    roleId: 'recsys-deployer',
    audience: 'account-1',
    nowMs: NOW_MS,
    expiresAtMs: NOW_MS + 15 * 60_000,
  };

  const verify = (token: string, audience = 'account-1') =>
    jwtVerify(token, createLocalJWKSet(issuer.jwks()), {
      issuer: OPTIONS.publicUrl,
      audience,
      algorithms: ['RS256'],
      currentDate: new Date(NOW_MS),
    });

  it('signs tokens that its published keys verify', async () => {
    const { payload, protectedHeader } = await verify(await issuer.signRoleToken(intent));
    assert.equal(payload.sub, 'grant:g-1');
    assert.equal(payload['oam_role'], 'recsys-deployer');
    assert.equal(payload.aud, 'account-1');
    assert.equal(payload.iat, 1_800_000_000);
    assert.equal(payload.nbf, 1_800_000_000);
    assert.equal(protectedHeader.alg, 'RS256');
    assert.equal(protectedHeader.kid, issuer.jwks().keys[0]?.kid);
  });

  it('lets no token outlive its grant, not by a fraction of a second, nor an hour', async () => {
    const short = decodeJwt(await issuer.signRoleToken({ ...intent, expiresAtMs: NOW_MS + 90_400 }));
    assert.equal(short.exp, Math.floor((NOW_MS + 90_400) / 1_000));
    const long = decodeJwt(await issuer.signRoleToken({ ...intent, expiresAtMs: NOW_MS + 86_400_000 }));
    assert.equal(long.exp, Math.floor((NOW_MS + 3_600_000) / 1_000));
    assert.throws(() => issuer.signRoleToken({ ...intent, expiresAtMs: NOW_MS }), RangeError);
    assert.throws(() => issuer.signRoleToken({ ...intent, expiresAtMs: NOW_MS + 400 }), RangeError);
  });

  it('gives each token an id of its own', async () => {
    const [one, two] = await Promise.all([issuer.signRoleToken(intent), issuer.signRoleToken(intent)]);
    assert.notEqual(decodeJwt(one).jti, decodeJwt(two).jti);
  });

  it('is refused for another audience, after its end, and with another key', async () => {
    const token = await issuer.signRoleToken(intent);
    await assert.rejects(verify(token, 'account-2'), /"aud"/);
    await assert.rejects(
      jwtVerify(token, createLocalJWKSet(issuer.jwks()), { currentDate: new Date(NOW_MS + 16 * 60_000) }),
      /"exp"/,
    );
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await new SignJWT(decodeJwt(token))
      .setProtectedHeader({ alg: 'RS256', kid: decodeProtectedHeader(token).kid ?? '' })
      .sign(privateKey);
    await assert.rejects(verify(forged), /signature/);
  });

  it('publishes public halves only, and metadata whose issuer is its own', () => {
    assert.equal(issuer.jwks().keys.length, 1);
    assert.deepEqual(Object.keys(issuer.jwks().keys[0] ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
    const metadata = issuer.discovery();
    assert.equal(metadata.issuer, OPTIONS.publicUrl);
    assert.equal(metadata.jwks_uri, `${OPTIONS.publicUrl}/.well-known/jwks.json`);
    assert.deepEqual(metadata.id_token_signing_alg_values_supported, ['RS256']);
  });

  it('keeps its key over a restart, the same for all replicas', async () => {
    const again = await createIssuer(store, OPTIONS);
    assert.deepEqual(again.jwks(), issuer.jwks());
    await verify(await again.signRoleToken(intent));

    const another = await freshStore();
    try {
      const replicas = await Promise.all([1, 2, 3, 4].map(() => createIssuer(another, OPTIONS)));
      assert.equal(new Set(replicas.map((replica) => replica.jwks().keys[0]?.kid)).size, 1);
      assert.notEqual(replicas[0]?.jwks().keys[0]?.kid, issuer.jwks().keys[0]?.kid);
    } finally {
      await another.close();
    }
  });

  it('stores the private half sealed, and opens it with the right key only', async () => {
    const row = await store.db.selectFrom('signing_key').selectAll().executeTakeFirstOrThrow();
    const stored = row.sealed_private.toString('latin1') + JSON.stringify(row.public_jwk);
    assert.doesNotMatch(stored, /PRIVATE KEY|"d":/);
    assert.match(createSeal(KEY).open(row.sealed_private, row.kid), /BEGIN PRIVATE KEY/);

    const otherKey = randomBytes(32).toString('base64');
    await assert.rejects(createIssuer(store, { ...OPTIONS, key: otherKey }), (error) =>
      hasCode(error, 'seal_broken'),
    );
  });

  it('notices when a sealed key was changed, or put under another name', () => {
    const seal = createSeal(KEY);
    const sealed = seal.close('the secret', 'kid-1');
    assert.equal(seal.open(sealed, 'kid-1'), 'the secret');
    assert.notDeepEqual(seal.close('the secret', 'kid-1'), sealed);
    for (const at of [0, 14, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(
        () => seal.open(changed, 'kid-1'),
        (error) => hasCode(error, 'seal_broken'),
      );
    }
    for (const [bytes, context] of [
      [sealed, 'kid-2'],
      [sealed.subarray(0, 10), 'kid-1'],
      [Buffer.alloc(0), 'kid-1'],
    ] as const) {
      assert.throws(
        () => seal.open(bytes, context),
        (error) => hasCode(error, 'seal_broken'),
      );
    }
  });

  it('says how to make a key when it is given none that is one', () => {
    for (const key of ['', 'short', randomBytes(31).toString('base64'), `${KEY}x`, `!${KEY.slice(1)}`]) {
      assert.throws(
        () => createSeal(key),
        (error) => hasCode(error, 'seal_key_invalid') && !(key !== '' && error.message.includes(key)),
      );
    }
  });
});
