import assert from 'node:assert/strict';

import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';

import { DatabricksError, exchangeSubjectToken, hostTrust } from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import type { FakeClock } from './stand-in.ts';
import { ANA, AUDIENCE, call, startIssuer, startStandIn, type TestIssuer, transport } from './stand-in.ts';

const { recsysDeployer, core } = SEED.servicePrincipals;

/** The claims without one of them. */
function without(claims: JWTPayload, name: string): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name));
}

describe('stand-in: token federation', () => {
  let idp: TestIssuer;
  let oam: TestIssuer;
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;

  before(async () => {
    idp = await startIssuer();
    oam = await startIssuer();
    ({ standIn, clock } = await startStandIn({
      identityProvider: { issuer: idp.url, audience: AUDIENCE },
      controlPlaneIssuer: oam.url,
    }));
  });

  after(async () => {
    await Promise.all([standIn.close(), idp.close(), oam.close()]);
  });

  const inSeconds = (seconds: number): number => Math.floor(clock.nowMs() / 1_000) + seconds;

  const exchange = (subjectToken: string, clientId?: string) =>
    exchangeSubjectToken({
      host: standIn.workspaces.prod.host,
      subjectToken,
      ...(clientId !== undefined && { clientId }),
      trust: hostTrust([standIn.workspaces.prod.host]),
      transport,
      clock,
    });

  const idToken = (claims: JWTPayload = {}): JWTPayload => ({
    sub: ANA.sub,
    email: ANA.userName,
    aud: AUDIENCE,
    exp: inSeconds(300),
    ...claims,
  });

  const roleToken = (claims: JWTPayload = {}): JWTPayload => ({
    sub: 'grant:1',
    oam_role: SEED.deployerRole,
    aud: SEED.accountId,
    exp: inSeconds(600),
    ...claims,
  });

  const refusedFor = (reason: RegExp) => (error: unknown) => {
    assert.ok(error instanceof DatabricksError);
    assert.equal(error.code, 'databricks_token_refused');
    assert.match(error.message, reason);
    return true;
  };

  const whoIs = async (token: string): Promise<unknown> => {
    const answer = await call('GET', `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`, token);
    return answer.json['userName'];
  };

  it('makes an ID token of the company a token of the person, that ends with it', async () => {
    const { accessToken, expiresAtMs } = await exchange(await idp.sign(idToken({ exp: inSeconds(120) })));
    assert.equal(await whoIs(accessToken), ANA.userName);
    assert.ok(expiresAtMs <= inSeconds(120) * 1_000);
    assert.ok(expiresAtMs > inSeconds(115) * 1_000);
  });

  it('caps a long subject token at an hour', async () => {
    const { expiresAtMs } = await exchange(await idp.sign(idToken({ exp: inSeconds(86_400) })));
    assert.ok(expiresAtMs <= clock.nowMs() + 3_600_000);
  });

  it("makes OAM's role token a token of the role's service principal", async () => {
    const { accessToken } = await exchange(await oam.sign(roleToken()), recsysDeployer.applicationId);
    assert.equal(await whoIs(accessToken), recsysDeployer.applicationId);
  });

  const wrongIdTokens: readonly [string, () => Promise<string>, RegExp][] = [
    [
      "OAM's access token: another audience",
      () => idp.sign(idToken({ aud: 'urn:oam:control-plane' })),
      /'aud'/,
    ],
    ['an expired one', () => idp.sign(idToken({ exp: inSeconds(-1) })), /expired/],
    ['one that ends this second', () => idp.sign(idToken({ exp: inSeconds(0) })), /expired/],
    ['one that is not valid yet', () => idp.sign(idToken({ nbf: inSeconds(60) })), /'nbf'/],
    ['one without an end', () => idp.sign(without(idToken(), 'exp')), /'exp'/],
    ['one of another issuer', () => oam.sign(idToken()), /no federation policy/],
    ['one that only says it is of the issuer', () => oam.sign(idToken({ iss: idp.url })), /signature/],
    ['one signed by a stranger', () => idp.forge(idToken()), /signature/],
    ['one without the claim that names the user', () => idp.sign(without(idToken(), 'email')), /'email'/],
    ['one that names nobody', () => idp.sign(idToken({ email: 'nobody@example.com' })), /no active user/],
    ['no JWT at all', () => Promise.resolve('dapi0123456789'), /not a valid JWT/],
    [
      'one signed with a shared secret',
      () =>
        new SignJWT({ iss: idp.url, ...idToken() })
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .sign(new TextEncoder().encode('a secret of at least thirty-two characters')),
      /HS256 is not supported/,
    ],
    [
      'an unsigned one',
      () => Promise.resolve(new UnsecuredJWT({ iss: idp.url, ...idToken() }).encode()),
      /algorithm none is not supported/,
    ],
  ];
  for (const [what, make, reason] of wrongIdTokens) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(exchange(await make()), refusedFor(reason));
    });
  }

  it("keeps a service principal's policy from naming people", async () => {
    await assert.rejects(
      exchange(await oam.sign(roleToken({ email: ANA.userName }))),
      refusedFor(/no federation policy/),
    );
  });

  it('keeps the account-wide policy from naming service principals', async () => {
    const token = await idp.sign(idToken({ oam_role: SEED.deployerRole, aud: SEED.accountId }));
    await assert.rejects(exchange(token, recsysDeployer.applicationId), refusedFor(/no federation policy/));
  });

  it('refuses a role token for another role, another audience or another service principal', async () => {
    const app = recsysDeployer.applicationId;
    await assert.rejects(
      exchange(await oam.sign(roleToken({ oam_role: 'other' })), app),
      refusedFor(/'oam_role'/),
    );
    await assert.rejects(exchange(await oam.sign(roleToken({ aud: AUDIENCE })), app), refusedFor(/'aud'/));
    await assert.rejects(
      exchange(await oam.sign(roleToken()), core.applicationId),
      refusedFor(/no federation policy/),
    );
    await assert.rejects(exchange(await oam.sign(roleToken()), 'no-such-client'), refusedFor(/not known/));
  });

  it('ends the token to the second, in the words that Databricks has for it', async () => {
    const { accessToken } = await exchange(await idp.sign(idToken({ exp: inSeconds(60) })));
    clock.advance(61_000);
    const answer = await call(
      'GET',
      `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`,
      accessToken,
    );
    assert.equal(answer.status, 403);
    assert.equal(answer.json['error_code'], 403);
    assert.match(String(answer.json['message']), /^Invalid access token\./);
  });

  it('takes a token of one workspace in that workspace only', async () => {
    const { accessToken } = await exchange(await idp.sign(idToken()));
    const elsewhere = await call(
      'GET',
      `${standIn.workspaces.dev.host}/api/2.0/preview/scim/v2/Me`,
      accessToken,
    );
    assert.equal(elsewhere.status, 403);
  });

  it('notices that an issuer was started anew with another key of the same name', async () => {
    const first = await startIssuer();
    const port = Number(new URL(first.url).port);
    const started = await startStandIn({ identityProvider: { issuer: first.url, audience: AUDIENCE } });
    const ask = (subjectToken: string) =>
      exchangeSubjectToken({
        host: started.standIn.workspaces.prod.host,
        subjectToken,
        trust: hostTrust([started.standIn.workspaces.prod.host]),
        transport,
        clock: started.clock,
      });
    await ask(await first.sign(idToken()));
    await first.close();
    // Keys are kept, so an issuer that is down for a moment stops nobody whose token is good.
    await ask(await first.sign(idToken()));
    const second = await startIssuer(port);
    try {
      await ask(await second.sign(idToken()));
      await assert.rejects(ask(await first.sign(idToken())), refusedFor(/signature/));
    } finally {
      await Promise.all([started.standIn.close(), second.close()]);
    }
  });

  it('says that the keys of an issuer that is down cannot be fetched', async () => {
    const gone = await startIssuer();
    const started = await startStandIn({ identityProvider: { issuer: gone.url, audience: AUDIENCE } });
    await gone.close();
    try {
      await assert.rejects(
        exchangeSubjectToken({
          host: started.standIn.workspaces.prod.host,
          subjectToken: await gone.sign(idToken()),
          trust: hostTrust([started.standIn.workspaces.prod.host]),
          transport,
          clock: started.clock,
        }),
        refusedFor(/keys of its issuer/),
      );
    } finally {
      await started.standIn.close();
    }
  });

  it('sends a subject token to no host that is not trusted', async () => {
    const before = standIn.requests().length;
    const subjectToken = await idp.sign(idToken());
    await assert.rejects(
      exchangeSubjectToken({
        host: standIn.workspaces.prod.host,
        subjectToken,
        trust: hostTrust([]),
        transport,
        clock,
      }),
      (error) => hasCode(error, 'untrusted_host'),
    );
    assert.equal(standIn.requests().length, before);
  });
});
