import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { createRemoteJWKSet, jwtVerify } from 'jose';

import { hasCode } from '../../../../src/domain/errors.ts';
import {
  OAM_AUDIENCE,
  PEOPLE,
  signInHeadless,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../../src/sandbox/identity-provider/index.ts';

const MODULE = new URL('../../../../src/sandbox/identity-provider/index.ts', import.meta.url).href;

describe("the sandbox's identity provider", function () {
  this.timeout(20_000);
  let idp: RunningIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
  });
  after(() => idp.close());

  it('signs everybody in, all at once, with their own groups and duty', async () => {
    const people = Object.values(PEOPLE);
    const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`));
    const sessions = await Promise.all(people.map((person) => signInHeadless(person, idp)));
    for (const [index, person] of people.entries()) {
      const session = sessions[index];
      assert.ok(session);
      assert.equal(session.subject, person.sub);
      const { payload } = await jwtVerify(session.accessToken, keys, {
        issuer: idp.issuer,
        audience: OAM_AUDIENCE,
      });
      assert.deepEqual(payload['groups'], person.groups);
      assert.equal(payload['duty'], person.duty);
      assert.equal(payload['email'], person.userName);
    }
  });

  it('lets nobody in with a wrong password', async () => {
    await assert.rejects(
      signInHeadless({ userName: PEOPLE.ana.userName, password: 'wrong' }, idp),
      /did not end well.*status 401/,
    );
  });

  it('mints tokens that verify, and says in them what it is told', async () => {
    const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`));
    const plain = await jwtVerify(await idp.mint({ sub: 'x' }), keys);
    assert.equal(plain.payload.iss, idp.issuer);
    assert.equal(plain.payload.aud, OAM_AUDIENCE);
    const odd = await idp.mint({ sub: 'x', iss: 'https://other.example', exp: 1 });
    await assert.rejects(jwtVerify(odd, keys), /exp/);
  });

  it('starts, serves and stops without a word', async () => {
    const script = `
      import { startIdentityProvider, signInHeadless, PEOPLE } from ${JSON.stringify(MODULE)};
      const idp = await startIdentityProvider();
      await signInHeadless(PEOPLE.ana, idp);
      await idp.close();`;
    const run = promisify(execFile);
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', script]);
    assert.equal(stdout, '');
    assert.equal(stderr, '');
  });

  it('says which port is taken', async () => {
    await assert.rejects(
      startIdentityProvider({ port: idp.port }),
      (error) => hasCode(error, 'port_taken') && error.message.includes(String(idp.port)),
    );
  });

  it('is down while paused, for everybody', async () => {
    idp.pause();
    try {
      for (const path of ['/.well-known/openid-configuration', '/jwks', '/device', '/token']) {
        assert.equal((await fetch(`${idp.issuer}${path}`)).status, 503);
      }
    } finally {
      idp.resume();
    }
    assert.equal((await fetch(`${idp.issuer}/jwks`)).status, 200);
  });

  it('listens on this machine only', async () => {
    assert.match(idp.issuer, /^http:\/\/127\.0\.0\.1:\d+$/);
    const metadata: unknown = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json();
    assert.ok(typeof metadata === 'object' && metadata !== null);
    for (const value of Object.values(metadata)) {
      if (typeof value === 'string' && value.startsWith('http')) assert.ok(value.startsWith(idp.issuer));
    }
  });
});
