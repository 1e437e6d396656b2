import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { decodeJwt, decodeProtectedHeader } from 'jose';

import { inChange } from '../../../../src/control-plane/changes/change.ts';
import { createIssuer, type Issuer } from '../../../../src/control-plane/issuer/issuer.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import { freshStore, type TestStore } from '../database.ts';
import { issuerOptions, RULES } from './ring.ts';

const ORDER = {
  policyVersion: 'some version',
  actor: { iss: 'i', sub: 's', userName: 'omar', displayName: 'Omar' },
  reason: 'It is time',
};

describe('the keys of an issuer', function () {
  this.timeout(30_000);
  let store: TestStore;
  beforeEach(async () => {
    store = await freshStore();
  });
  afterEach(() => store.close());

  const kids = async (issuer: Issuer): Promise<string[]> =>
    (await issuer.jwks()).keys.map(({ kid }) => kid ?? '');

  const sign = async (issuer: Issuer): Promise<string> => {
    const nowMs = await store.nowMs();
    const signer = await inChange(store.db, (change) => issuer.signer(change));
    return signer.sign({
      ...{ grantId: 'g', roleId: 'r', audience: 'a' },
      nowMs,
      expiresAtMs: nowMs + HOUR_MS,
    });
  };

  const signsWith = async (issuer: Issuer): Promise<string | undefined> =>
    decodeProtectedHeader(await sign(issuer)).kid;

  const states = async (): Promise<string[]> =>
    (await store.db.selectFrom('signing_key').select('state').orderBy('state').execute()).map(
      ({ state }) => state,
    );

  it('change by age, are published before and after they sign, and replicas agree at every moment', async () => {
    const options = issuerOptions();
    const one = await createIssuer(store, options);
    const other = await createIssuer(store, options);
    const [old = ''] = await kids(one);

    await store.advance(RULES.rotateAfterMs - RULES.publishAheadMs);
    await Promise.all([one.keys.advance(), other.keys.advance()]);
    const [, next = ''] = await kids(other);
    assert.deepEqual(await kids(one), [old, next]);
    assert.equal(await signsWith(one), old);

    await store.advance(RULES.publishAheadMs);
    const lastOfOld = decodeJwt(await sign(other));
    await Promise.all([one.keys.advance(), other.keys.advance()]);
    assert.deepEqual([await signsWith(one), await signsWith(other)], [next, next]);
    assert.deepEqual(await kids(one), [next, old]);

    const toItsEndMs = (lastOfOld.exp ?? 0) * 1_000 - (await store.nowMs());
    await store.advance(toItsEndMs - MINUTE_MS);
    await one.keys.advance();
    assert.deepEqual(await kids(other), [next, old], 'a key went before a token that it signed');
    await store.advance(2 * MINUTE_MS);
    await one.keys.advance();
    assert.deepEqual(await kids(other), [next]);
  });

  it('leave one private half behind, that of the key that signs or will', async () => {
    const issuer = await createIssuer(store, issuerOptions());
    const key = await issuer.keys.makeKey();
    await inChange(store.db, (change) => issuer.keys.beginRotation(change, key, ORDER));
    await inChange(store.db, (change) => issuer.keys.completeRotation(change, ORDER));
    const rows = await store.db.selectFrom('signing_key').select(['state', 'sealed_private']).execute();
    assert.deepEqual(rows.map(({ state, sealed_private }) => [state, sealed_private !== null]).sort(), [
      ['current', true],
      ['retired', false],
    ]);
  });

  it('are changed by one replica where several begin at once, and each step is on the record', async () => {
    const options = issuerOptions();
    const replicas = await Promise.all([1, 2, 3].map(() => createIssuer(store, options)));
    const began = await Promise.all(
      replicas.map(async ({ keys }) => {
        const key = await keys.makeKey();
        return inChange(store.db, (change) => keys.beginRotation(change, key, ORDER));
      }),
    );
    assert.deepEqual(began.sort(), [false, false, true]);
    await store.advance(RULES.publishAheadMs);
    await Promise.all(replicas.map(({ keys }) => keys.advance()));
    assert.deepEqual(await states(), ['current', 'retired']);
    const rows = await store.db.selectFrom('audit').select(['event', 'actor']).orderBy('at').execute();
    assert.deepEqual(rows.map(({ event }) => event).sort(), [
      'signing_key.activated',
      'signing_key.activated',
      'signing_key.published',
      'signing_key.published',
      'signing_key.retired',
    ]);
    assert.equal(rows.filter(({ actor }) => actor !== null).length, 1);
  });

  it('sign nothing that is committed after they are retired', async () => {
    const issuer = await createIssuer(store, issuerOptions());
    const [old] = await kids(issuer);
    const key = await issuer.keys.makeKey();
    await inChange(store.db, (change) => issuer.keys.beginRotation(change, key, ORDER));

    const committed: string[] = [];
    const held = Promise.withResolvers<undefined>();
    const chosen = Promise.withResolvers<string>();
    const signing = inChange(store.db, async (change) => {
      chosen.resolve((await issuer.keys.signingKey(change)).kid);
      await held.promise;
      committed.push('token');
    });
    assert.equal(await chosen.promise, old);
    const rotating = inChange(store.db, (change) => issuer.keys.completeRotation(change, ORDER)).then(() =>
      committed.push('rotation'),
    );
    const late = store.db
      .selectFrom('signing_key')
      .select('kid')
      .where('state', '=', 'current')
      .executeTakeFirst();
    assert.equal((await late)?.kid, old, 'the rotation did not wait for the token');
    held.resolve(undefined);
    await Promise.all([signing, rotating]);
    assert.deepEqual(committed, ['token', 'rotation']);
    assert.equal(await signsWith(issuer), key.kid);
  });

  it('that strangers may have are trusted no more, at once', async () => {
    const issuer = await createIssuer(store, issuerOptions());
    const before = await kids(issuer);
    const key = await issuer.keys.makeKey();
    await inChange(store.db, (change) =>
      issuer.keys.replaceAll(change, key, { ...ORDER, reason: 'A backup was stolen' }),
    );
    assert.deepEqual(await kids(issuer), [key.kid]);
    assert.ok(!before.includes(key.kid));
    assert.equal(await signsWith(issuer), key.kid);
  });

  it('are sealed anew where OAM_KEY changes, and need the previous one no more', async () => {
    const old = randomBytes(32).toString('base64');
    const key = randomBytes(32).toString('base64');
    const before = await createIssuer(store, issuerOptions({ sealKeys: { key: old } }));
    const next = await before.keys.makeKey();
    await inChange(store.db, (change) => before.keys.beginRotation(change, next, ORDER));

    const changing = issuerOptions({ sealKeys: { key, previous: old } });
    const [during] = await Promise.all([createIssuer(store, changing), createIssuer(store, changing)]);
    assert.equal(await signsWith(during), await signsWith(before));
    const after = await createIssuer(store, issuerOptions({ sealKeys: { key } }));
    assert.deepEqual(await kids(after), await kids(before));
    await store.advance(RULES.publishAheadMs);
    await after.keys.advance();
    assert.equal(await signsWith(after), next.kid);
    await assert.rejects(createIssuer(store, issuerOptions({ sealKeys: { key: old } })), (error) =>
      hasCode(error, 'seal_broken'),
    );
  });

  it('that are lost stop the start until somebody says that they are, and what they signed stays good', async () => {
    const [lost = ''] = await kids(await createIssuer(store, issuerOptions()));
    const another = issuerOptions();
    await assert.rejects(createIssuer(store, another), (error) => hasCode(error, 'seal_broken'));
    assert.deepEqual(await states(), ['current']);

    const issuer = await createIssuer(store, { ...another, keysLost: true });
    const [fresh, old] = await kids(issuer);
    assert.equal(old, lost);
    assert.equal(await signsWith(issuer), fresh);
    assert.notEqual(fresh, lost);
    const again = await createIssuer(store, { ...another, keysLost: true });
    assert.deepEqual(await kids(again), [fresh, old], 'a good key was taken for a lost one');
    const { count } = await store.db
      .selectFrom('audit')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('event', '=', 'signing_key.lost')
      .executeTakeFirstOrThrow();
    assert.equal(count, 1);
  });
});
