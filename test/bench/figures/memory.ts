import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import type { RunningControlPlane } from '../../../demo/stage/controlPlane.ts';
import { HOUR_MS } from '../../../src/domain/time.ts';
import { createControlPlaneClient } from '../../../src/protocol/client.ts';
import { axiosTransport } from '../../../src/protocol/transport.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import type { Figure } from '../figure.ts';
import { crowdedGroups, type CrowdedGroup, giveAll, setStage, type Stage } from '../stage.ts';

const GROUPS = 200;
const MEMBERS_EACH = 500;

/** Long enough for a look of the reconciler at every group. */
const WATCHED_MS = 60_000;

const READ_EVERY_MS = 250;

/** Ends are spread over a working day, as they are in life. */
const SPREAD_MS = 8 * HOUR_MS;

/** What the server's process takes at most while very many hold access. */
export const memory: Figure = {
  name: 'memory',
  what: `the resident memory of the server's process with ${String(GROUPS * MEMBERS_EACH)} live grants, at its highest in a minute of readings`,
  async measure(cleanup) {
    const groups = crowdedGroups(GROUPS, MEMBERS_EACH);
    const stage = await setStage(cleanup, groups);
    const server = await stage.serve({ reconciler: { everySeconds: 30 } });
    const idle = await highest(stage, server, 10_000);
    await server.kill();
    await giveAllOverTheDay(stage, groups);
    await server.restart();
    const megabytes = await highest(stage, server, WATCHED_MS);
    return [
      {
        name: 'memory_100000_grants',
        value: megabytes,
        unit: 'MB',
        peer: { what: 'the same server with none', value: idle },
        bar: { of: 'value', is: 'at most', limit: 300 },
      },
    ];
  },
};

async function giveAllOverTheDay(stage: Stage, groups: readonly CrowdedGroup[]): Promise<void> {
  const firstMs = Date.now() + 60_000;
  await giveAll(stage, groups, (index) => firstMs + ((index * 7_919) % SPREAD_MS));
}

/** Lets the server work for a while, reads from it, and tells the most memory that its process had, in MB. */
async function highest(stage: Stage, server: RunningControlPlane, forMs: number): Promise<number> {
  const { sub, userName, displayName, groups, duty } = PEOPLE.aude;
  const aude = createControlPlaneClient({
    baseUrl: server.url,
    accessToken: () =>
      stage.identityProvider.mint({ sub, preferred_username: userName, name: displayName, groups, duty }),
    transport: axiosTransport(),
  });
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) {
    await aude.call('listGrants', { query: { limit: 200 } });
    await aude.call('listAudit', { query: { limit: 200 } });
    await delay(READ_EVERY_MS);
  }
  const status = await readFile(`/proc/${String(server.process().pid)}/status`, 'utf8');
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error('The system does not tell the memory of a process.');
  return Number(kilobytes) / 1_024;
}
