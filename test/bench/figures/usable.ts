import { setTimeout as delay } from 'node:timers/promises';

import { type ControlPlaneClient, createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { GrantView } from '../../../src/protocol/schemas.ts';
import { axiosTransport } from '../../../src/protocol/transport.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { type Figure, median, quantile } from '../figure.ts';
import { ANSWER_MS, setStage } from '../stage.ts';

const TIMES = 40;
const ROLE = 'recsys-endpoint-query';
const ASK_EVERY_MS = 10;

/** From the click to access that can be used, where policy approves by itself. */
export const usable: Figure = {
  name: 'usable',
  what: 'from asking to access that Databricks was seen to have, where policy approves at once',
  async measure(cleanup) {
    const stage = await setStage(cleanup);
    const { url } = await stage.serve({ effects: { absenceConfirmMs: 50 } });
    const { sub, userName, displayName, groups, duty } = PEOPLE.ana;
    const ana = createControlPlaneClient({
      baseUrl: url,
      accessToken: () =>
        stage.identityProvider.mint({ sub, preferred_username: userName, name: displayName, groups, duty }),
      transport: axiosTransport(),
    });
    const beyondMs: number[] = [];
    const ownMs: number[] = [];
    const core = stage.databricks.coreCredentials.applicationId;
    const calls = (): number =>
      stage.databricks.requests().filter(({ principal }) => principal === core).length;
    for (let time = 0; time < TIMES; time += 1) {
      const callsBefore = calls();
      const startedMs = performance.now();
      const { grantId } = await ana.call('createRequest', {
        body: { roleId: ROLE, purpose: 'Measure', minutes: 5 },
      });
      if (grantId === null) throw new Error('Policy did not approve.');
      await until(ana, grantId, 'active');
      const tookMs = performance.now() - startedMs;
      const own = (calls() - callsBefore) * ANSWER_MS;
      ownMs.push(own);
      beyondMs.push(tookMs - own);
      await ana.call('returnGrant', { params: { id: grantId }, idempotencyKey: `return-${grantId}` });
      await until(ana, grantId, 'ended');
    }
    return [
      {
        name: 'usable_beyond_databricks_p99',
        value: quantile(beyondMs, 0.99) / 1_000,
        unit: 's',
        peer: { what: "Databricks' own time", value: median(ownMs) / 1_000 },
        bar: { of: 'value', is: 'at most', limit: 1 },
        note: `half of ${String(TIMES)} within ${median(beyondMs).toFixed(0)} ms`,
      },
    ];
  },
};

async function until(client: ControlPlaneClient, id: string, state: GrantView['state']): Promise<void> {
  while ((await client.call('getGrant', { params: { id } })).state !== state) await delay(ASK_EVERY_MS);
}
