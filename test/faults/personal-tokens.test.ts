import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { startStage, type Stage } from '../../demo/stage/stage.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../src/protocol/client.ts';
import type { GrantView } from '../../src/protocol/schemas.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';

const ROLE = 'recsys-deployer';

describe('a control plane that is killed with kill -9 while Databricks makes a personal access token', function () {
  this.timeout(120_000);
  let stage: Stage;
  before(async () => {
    stage = await startStage({
      absenceConfirmMs: 2_000,
      adjustCatalogue: (text) =>
        text.replace('credential: federated', 'credential: pat').replace('maxMinutes: 120', 'maxMinutes: 60'),
    });
  });
  after(() => stage.close());

  const client = (who: keyof typeof PEOPLE): ControlPlaneClient => {
    const { sub, userName, displayName, groups, duty } = PEOPLE[who];
    return createControlPlaneClient({
      baseUrl: stage.controlPlane.url,
      accessToken: () =>
        stage.identityProvider.mint({
          ...{ sub, preferred_username: userName, name: displayName, groups, duty },
        }),
      transport: axiosTransport(),
    });
  };

  const tokens = () => stage.databricks.personalAccessTokens('prod');

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (!(await holds())) {
      assert.ok(performance.now() < deadline, 'It did not come to it.');
      await delay(50);
    }
  }

  const granted = async (): Promise<GrantView> => {
    const { id, version } = await client('ana').call('createRequest', {
      body: { roleId: ROLE, purpose: 'Survive', minutes: 30 },
    });
    const { grantId } = await client('lena').call('approveRequest', { params: { id }, version, body: {} });
    const read = () => client('ana').call('getGrant', { params: { id: grantId ?? '' } });
    await until(async () => (await read()).state === 'active');
    return read();
  };

  it('leaves none behind: what is made when nobody is there to hear of it is found and deleted', async () => {
    const { id } = await granted();
    const issue = (idempotencyKey: string) =>
      client('ana').call('issueCredential', { params: { id }, idempotencyKey });
    await issue('heard');
    assert.equal(tokens().length, 1);

    stage.databricks.tune({ answerDelayMs: 2_000 });
    const unheard = issue('unheard').then(
      () => assert.fail('The answer came.'),
      () => undefined,
    );
    await delay(1_000);
    assert.equal(tokens().length, 1, 'the token was made before the kill');
    await stage.controlPlane.kill();
    await unheard;
    stage.databricks.tune({ answerDelayMs: 0 });
    await until(() => tokens().length === 2);

    await stage.controlPlane.restart();
    await client('ana').call('returnGrant', { params: { id } });
    await until(() => tokens().length === 0);
    const leases = () => client('ana').call('listLeases', { params: { id } });
    await until(async () => (await leases()).items.every(({ state }) => state === 'revoked'));
    assert.equal((await leases()).items.length, 2);
  });
});
