import {
  createWorkspaceClient,
  MEMBERS_AT_ONCE,
  requestClientCredentials,
} from '../../../src/databricks/index.ts';
import { axiosTransport } from '../../../src/protocol/transport.ts';
import { watchRemovals } from '../expiry.ts';
import { type Figure, median, quantile } from '../figure.ts';
import { crowdedGroups, type CrowdedGroup, giveAll, setStage, type Stage } from '../stage.ts';

const GROUPS = 100;
const MEMBERS_EACH = 100;

/** From when the grants are given: the control plane is up by then. */
const LEAD_MS = 20_000;

const PATIENCE_MS = 120_000;

/** As many as the control plane does at the same time. */
const WRITES_AT_ONCE = 8;

/** 10 000 grants that end in one moment. */
export const revocation: Figure = {
  name: 'revocation',
  what: `${String(GROUPS * MEMBERS_EACH)} grants end at once, in ${String(GROUPS)} groups; Databricks answers in 20 ms and limits nothing`,
  async measure(cleanup) {
    const groups = crowdedGroups(GROUPS, MEMBERS_EACH);
    const others = crowdedGroups(GROUPS, MEMBERS_EACH, 40_000);
    const stage = await setStage(cleanup, [...groups, ...others]);
    const endsAtMs = Date.now() + LEAD_MS;
    await giveAll(stage, groups, () => endsAtMs);
    await stage.serve();
    if (Date.now() > endsAtMs - 2_000) throw new Error('The control plane was not up in time.');
    const lateness = [
      ...(await watchRemovals(stage.databricks, groups, endsAtMs, PATIENCE_MS)).values(),
    ].flat();
    const bareMs = await removeBare(stage, others);
    return [
      {
        name: 'revocation_lateness_p99',
        value: quantile(lateness, 0.99) / 1_000,
        unit: 's',
        peer: { what: 'the same writes and nothing else', value: bareMs / 1_000 },
        bar: { of: 'value', is: 'at most', limit: 5 },
        note: `half of them within ${(median(lateness) / 1_000).toFixed(2)} s, the last after ${(Math.max(...lateness) / 1_000).toFixed(2)} s`,
      },
    ];
  },
};

/** How long Databricks takes for the writes alone, in milliseconds. */
async function removeBare({ databricks }: Stage, groups: readonly CrowdedGroup[]): Promise<number> {
  const { host } = databricks.workspaces.prod;
  const transport = axiosTransport();
  const { applicationId, secret } = databricks.adminCredentials;
  const { accessToken } = await requestClientCredentials({
    ...{ host, clientId: applicationId, clientSecret: secret, transport },
    clock: { nowMs: () => performance.now() },
  });
  const client = createWorkspaceClient({ host, token: () => Promise.resolve(accessToken), transport });
  const queue = [...groups];
  const startedMs = performance.now();
  const workers = Array.from({ length: WRITES_AT_ONCE }, async () => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      for (let start = 0; start < group.memberIds.length; start += MEMBERS_AT_ONCE) {
        await client.removeGroupMembers(group.id, group.memberIds.slice(start, start + MEMBERS_AT_ONCE));
      }
    }
  });
  await Promise.all(workers);
  return performance.now() - startedMs;
}
