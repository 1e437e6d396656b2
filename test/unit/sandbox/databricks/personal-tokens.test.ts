import assert from 'node:assert/strict';

import type { WorkspaceClient } from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import { ANA, clientOf, type FakeClock, serviceClientOf, startStandIn } from './stand-in.ts';

const ORDER = {
  applicationId: SEED.servicePrincipals.recsysDeployer.applicationId,
  lifetimeSeconds: 600,
  comment: 'x',
};

describe('stand-in: personal access tokens on behalf of a service principal', () => {
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;
  let admin: WorkspaceClient;

  beforeEach(async () => {
    ({ standIn, clock } = await startStandIn());
    admin = await serviceClientOf(standIn, clock, standIn.tokenCredentials);
  });
  afterEach(() => standIn.close());

  it('are made, listed and deleted by an administrator of the workspace, and end by themselves', async () => {
    const { value, token } = await admin.createTokenOnBehalf(ORDER);
    assert.match(value, /^dapi/);
    assert.equal(token.expiresAtMs, clock.nowMs() + 600_000);
    assert.equal(token.createdById, SEED.servicePrincipals.tokens.id);
    assert.deepEqual(await admin.personalTokens(), [token]);
    await admin.deletePersonalToken(token.id);
    assert.deepEqual(await admin.personalTokens(), []);
    await assert.rejects(admin.deletePersonalToken(token.id), (error) =>
      hasCode(error, 'databricks_not_found'),
    );
    await admin.createTokenOnBehalf(ORDER);
    clock.advance(600_000);
    assert.deepEqual(await admin.personalTokens(), []);
  });

  it('are nothing for anybody else, nor for whom there is not', async () => {
    for (const other of [
      clientOf(standIn, ANA.userName),
      await serviceClientOf(standIn, clock, standIn.coreCredentials),
    ]) {
      const isDenied = (error: unknown): boolean => hasCode(error, 'databricks_permission_denied');
      await assert.rejects(other.createTokenOnBehalf(ORDER), isDenied);
      await assert.rejects(other.personalTokens(), isDenied);
      await assert.rejects(other.deletePersonalToken('x'), isDenied);
    }
    await assert.rejects(admin.createTokenOnBehalf({ ...ORDER, applicationId: 'none' }), (error) =>
      hasCode(error, 'databricks_not_found'),
    );
  });

  it('are listed late and seen to be gone late, and worth nothing at once', async () => {
    standIn.tune({ tokenLagMs: 1_000 });
    const { token } = await admin.createTokenOnBehalf(ORDER);
    assert.deepEqual(await admin.personalTokens(), []);
    clock.advance(1_000);
    assert.deepEqual(await admin.personalTokens(), [token]);
    await admin.deletePersonalToken(token.id);
    assert.deepEqual(standIn.personalAccessTokens('prod'), []);
    assert.deepEqual(await admin.personalTokens(), [token]);
    clock.advance(1_000);
    assert.deepEqual(await admin.personalTokens(), []);
  });

  it('are not to be had on Azure, nor beyond the quota', async () => {
    standIn.tune({ cloud: 'azure' });
    await assert.rejects(admin.createTokenOnBehalf(ORDER), /FEATURE_DISABLED/);
    standIn.tune({ cloud: 'aws' });
    for (let made = 0; made < 600; made += 50) {
      await Promise.all(Array.from({ length: 50 }, () => admin.createTokenOnBehalf(ORDER)));
    }
    await assert.rejects(admin.createTokenOnBehalf(ORDER), (error) =>
      hasCode(error, 'databricks_quota_used_up'),
    );
  });

  it('are made once though the answer is lost: the call is not repeated', async () => {
    standIn.tune({ failNext: { status: 503, count: 1, path: /on-behalf-of/, when: 'after' } });
    await assert.rejects(admin.createTokenOnBehalf(ORDER), (error) =>
      hasCode(error, 'databricks_unavailable'),
    );
    assert.equal(standIn.personalAccessTokens('prod').length, 1);
  });
});
