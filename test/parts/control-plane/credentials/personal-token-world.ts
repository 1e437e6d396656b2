import { setTimeout as delay } from 'node:timers/promises';

import type { CredentialView } from '../../../../src/protocol/credentials.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { type SandboxPersonalToken, SEED } from '../../../../src/sandbox/databricks/index.ts';
import { withRole } from '../changed-role.ts';
import { type Name, startWorld, type World, type WorldOptions } from '../world.ts';

export const ROLE = 'recsys-deployer';
export const GROUP = SEED.jitGroups.deployer.id;
export const OWNER = SEED.servicePrincipals.recsysDeployer;
export const CREATE = /on-behalf-of/;

/** What is said of a token of a role that is `pat`. */
const asPersonalToken = withRole(ROLE, { credential: 'pat', sensitivity: 'medium' });

export const startTokenWorld = (options: WorldOptions = {}): Promise<World> =>
  startWorld({ adjustPolicy: asPersonalToken, reconciler: { everySeconds: 1 }, ...options });

/** Without the net beneath: whatever is missed stays. */
export const NO_SWEEP: WorldOptions = { reconciler: { everySeconds: 3_600 } };

export const tokensOf = (world: World): readonly SandboxPersonalToken[] =>
  world.databricks.personalAccessTokens('prod');

export const issue = (world: World, id: string, idempotencyKey?: string): Promise<CredentialView> =>
  world
    .client('ana')
    .call('issueCredential', { params: { id }, ...(idempotencyKey !== undefined && { idempotencyKey }) });

export const statusAs = async (world: World, token: string): Promise<number> => {
  const { host } = world.databricks.workspaces.prod;
  const answer = await axiosTransport()({
    method: 'GET',
    url: `${host}/api/2.0/preview/scim/v2/Me`,
    headers: { authorization: `Bearer ${token}` },
  });
  return answer.status;
};

export const leases = async (world: World, id: string, as: Name = 'ana') =>
  (await world.client(as).call('listLeases', { params: { id } })).items;

export async function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`It did not come to it: ${JSON.stringify(seen)}`);
    await delay(20);
  }
}

export const gone = (world: World): Promise<unknown> =>
  until(
    () => tokensOf(world).length,
    (count) => count === 0,
  );
