import assert from 'node:assert/strict';

import { createRemoteJWKSet, jwtVerify } from 'jose';

import { hasCode } from '../../../src/domain/errors.ts';
import { resourceParameter } from '../../../src/identity/configuration.ts';
import { sessionOf } from '../../../src/identity/tokens.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import {
  EDITOR_CLIENT_ID,
  OAM_AUDIENCE,
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { configurationOf, discover, signIn } from './sign-in.ts';

const wrongAudience = (error: unknown): boolean => hasCode(error, 'wrong_audience');

describe('two tokens for two doors', () => {
  let idp: RunningIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider();
  });
  after(() => idp.close());

  it('verify at their own door and not at the other', async () => {
    const session = await signIn(await discover(idp), PEOPLE.ana);
    const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`));
    const at = (token: string, audience: string): Promise<unknown> =>
      jwtVerify(token, keys, { issuer: idp.issuer, audience, algorithms: ['RS256'] });

    await assert.doesNotReject(at(session.accessToken, OAM_AUDIENCE));
    await assert.doesNotReject(at(session.idToken, EDITOR_CLIENT_ID));
    await assert.rejects(at(session.accessToken, EDITOR_CLIENT_ID), /aud/);
    await assert.rejects(at(session.idToken, OAM_AUDIENCE), /aud/);
  });

  const misconfigured: [string, string | string[]][] = [
    ['opens both doors', [OAM_AUDIENCE, EDITOR_CLIENT_ID]],
    ['opens the other door', EDITOR_CLIENT_ID],
    ['opens neither', 'urn:somebody:else'],
  ];
  for (const [what, accessTokenAudience] of misconfigured) {
    it(`refuse the sign-in where the access token ${what}`, async () => {
      const careless = await startIdentityProvider({ accessTokenAudience });
      try {
        await assert.rejects(signIn(await discover(careless), PEOPLE.ana), wrongAudience);
      } finally {
        await careless.close();
      }
    });
  }

  it('name the person by the claim that the control plane knows them by, in the access token', async () => {
    const session = await signIn(await discover(idp, { subjectClaim: 'preferred_username' }), PEOPLE.ana);
    assert.equal(session.subject, PEOPLE.ana.userName);
    await assert.rejects(signIn(await discover(idp, { subjectClaim: 'oid' }), PEOPLE.ana), (error) =>
      hasCode(error, 'wrong_token_kind'),
    );
  });

  it('refuse the sign-in where the provider does not know the audience', async () => {
    const discovered = await discover(idp, { audience: 'urn:unknown:audience' });
    await assert.rejects(signIn(discovered, PEOPLE.ana), wrongAudience);
  });

  it('refuse an ID token for OAM, an access token that tells nothing, and one of another issuer', async () => {
    const configuration = configurationOf(idp);
    const { sub } = PEOPLE.ana;
    const access = await idp.mint({ sub });
    const id = await idp.mint({ sub, aud: EDITOR_CLIENT_ID });
    const session = (accessToken: string, idToken: string): unknown =>
      sessionOf(configuration, { accessToken, idToken, refreshToken: undefined });

    assert.ok(session(access, id));
    const forBoth = await idp.mint({ sub, aud: [EDITOR_CLIENT_ID, OAM_AUDIENCE] });
    assert.throws(() => session(access, forBoth), wrongAudience);
    assert.throws(() => session(access, access), wrongAudience);
    assert.throws(() => session(id, id), wrongAudience);
    assert.throws(() => session('opaque', id), wrongAudience);
    const foreign = await idp.mint({ sub, iss: 'https://other.example' });
    assert.throws(
      () => session(foreign, id),
      (error) => hasCode(error, 'wrong_issuer'),
    );
  });

  it('hold at a refresh too', async () => {
    const session = await signIn(await discover(idp), PEOPLE.ana);
    const discovered = await discover(idp);
    await assert.rejects(
      refreshSession(
        { ...discovered, configuration: configurationOf(idp, { issuer: 'https://moved.example' }) },
        session,
      ),
      (error) => hasCode(error, 'wrong_issuer'),
      'a session of one provider is not shown to another',
    );
  });

  it('are asked for by the resource, except where a scope names it already', () => {
    const of = (audience: string, scopes: string[]): Record<string, string> =>
      resourceParameter(configurationOf(idp, { audience, scopes }));
    assert.deepEqual(of(OAM_AUDIENCE, ['openid']), { resource: OAM_AUDIENCE });
    assert.deepEqual(of('api://oam', ['openid', 'api://oam/access']), {});
    assert.deepEqual(of('oam', ['openid']), {});
  });
});
