import assert from 'node:assert/strict';

import type { JWTPayload } from 'jose';

import { DatabricksError, exchangeSubjectToken, hostTrust } from '../../../../src/databricks/index.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import {
  accountTokenOf,
  AUDIENCE,
  call,
  type FakeClock,
  startIssuer,
  startStandIn,
  type TestIssuer,
  transport,
} from './stand-in.ts';

const DEPLOYER = SEED.servicePrincipals.recsysDeployer;

describe('stand-in: federation policies', () => {
  let idp: TestIssuer;
  let oam: TestIssuer;
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;

  beforeEach(async () => {
    [idp, oam] = await Promise.all([startIssuer(), startIssuer()]);
    ({ standIn, clock } = await startStandIn({
      identityProvider: { issuer: idp.url, audience: AUDIENCE },
    }));
  });
  afterEach(() => Promise.all([standIn.close(), idp.close(), oam.close()]));

  const accountWide = (): string =>
    `${standIn.account.host}/api/2.0/accounts/${SEED.accountId}/federationPolicies`;
  const ofDeployer = (): string =>
    `${standIn.account.host}/api/2.0/accounts/${SEED.accountId}/servicePrincipals/${DEPLOYER.id}/federationPolicies`;

  const admin = async (
    method: 'POST' | 'PATCH' | 'DELETE' | 'GET',
    url: string,
    oidcPolicy?: object,
  ): Promise<{ status: number; json: Record<string, unknown> }> =>
    call(
      method,
      url,
      await accountTokenOf(standIn),
      oidcPolicy === undefined ? undefined : { oidc_policy: oidcPolicy },
    );

  const register = async (url: string, oidcPolicy: object): Promise<void> => {
    const { status, json } = await admin('POST', `${url}?policy_id=oam`, oidcPolicy);
    assert.equal(status, 200, JSON.stringify(json));
  };

  const policy = (changes: object = {}): object => ({
    issuer: oam.url,
    audiences: [SEED.accountId],
    subject_claim: 'oam_role',
    subject: SEED.deployerRole,
    ...changes,
  });

  const roleToken = (claims: JWTPayload = {}): Promise<string> =>
    oam.sign({
      sub: 'grant:1',
      oam_role: SEED.deployerRole,
      aud: SEED.accountId,
      exp: Math.floor(clock.nowMs() / 1_000) + 600,
      ...claims,
    });

  const exchange = async (subjectToken: string, clientId?: string): Promise<unknown> =>
    exchangeSubjectToken({
      host: standIn.workspaces.prod.host,
      subjectToken,
      ...(clientId !== undefined && { clientId }),
      trust: hostTrust([standIn.workspaces.prod.host]),
      transport,
      clock,
    });

  const refusedFor = (reason: RegExp) => (error: unknown) =>
    error instanceof DatabricksError &&
    error.code === 'databricks_token_refused' &&
    reason.test(error.message);

  it('take keys from the policy itself, and look for them nowhere else', async () => {
    await oam.close();
    await register(ofDeployer(), policy({ jwks_json: JSON.stringify(oam.jwks) }));
    await exchange(await roleToken(), DEPLOYER.applicationId);
    await admin('PATCH', `${ofDeployer()}/oam`, { jwks_json: JSON.stringify(idp.jwks) });
    await assert.rejects(exchange(await roleToken(), DEPLOYER.applicationId), refusedFor(/signature/));
  });

  it('take keys from the address that they name', async () => {
    await register(ofDeployer(), policy({ jwks_uri: `${idp.url}/jwks` }));
    await assert.rejects(exchange(await roleToken(), DEPLOYER.applicationId), refusedFor(/signature/));
    await admin('PATCH', `${ofDeployer()}/oam`, { jwks_uri: `${oam.url}/jwks` });
    await exchange(await roleToken(), DEPLOYER.applicationId);
  });

  it('are refused with keys that are none, and with two places for them', async () => {
    for (const changes of [
      { jwks_json: 'no keys' },
      { jwks_json: '{"keys":"none"}' },
      { jwks_json: JSON.stringify(oam.jwks), jwks_uri: `${oam.url}/jwks` },
    ]) {
      const { status } = await admin('POST', ofDeployer(), policy(changes));
      assert.equal(status, 400);
    }
  });

  it('by another claim than the one that OAM means let nobody in', async () => {
    await register(ofDeployer(), policy({ subject_claim: 'sub' }));
    await assert.rejects(exchange(await roleToken(), DEPLOYER.applicationId), refusedFor(/'sub'/));
    await assert.rejects(exchange(await roleToken()), refusedFor(/no federation policy/));
  });

  it("for the whole account make nobody of OAM's tokens, whatever claim they go by", async () => {
    for (const claim of ['sub', 'oam_role', 'email', 'jti']) {
      await register(accountWide(), { issuer: oam.url, subject_claim: claim });
      await assert.rejects(
        exchange(await roleToken({ jti: 'a-token' })),
        refusedFor(/no active user for claim|claim '[a-z]+' is missing/),
        claim,
      );
      await admin('DELETE', `${accountWide()}/oam`);
    }
  });

  it('would let an issuer for the whole account be anybody: why it must never be registered so', async () => {
    await register(accountWide(), { issuer: oam.url, subject_claim: 'email' });
    await exchange(await roleToken({ email: 'omar.haddad@example.com' }));
  });

  it('go by old copies of the keys for as long as they are told to keep them', async () => {
    standIn.tune({ keepIssuerKeysMs: 5 * MINUTE_MS });
    await register(ofDeployer(), policy());
    await exchange(await roleToken(), DEPLOYER.applicationId);
    const port = Number(new URL(oam.url).port);
    await oam.close();
    oam = await startIssuer(port);
    await assert.rejects(exchange(await roleToken(), DEPLOYER.applicationId), refusedFor(/signature/));
    clock.advance(5 * MINUTE_MS);
    await exchange(await roleToken(), DEPLOYER.applicationId);
  });

  it('are for account admins only', async () => {
    const token = standIn.personalAccessToken('prod', 'ana.silva@example.com');
    const { status } = await call('POST', ofDeployer(), token, { oidc_policy: policy() });
    assert.equal(status, 403);
  });
});
