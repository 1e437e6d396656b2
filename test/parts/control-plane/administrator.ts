import {
  createWorkspaceClient,
  requestClientCredentials,
  type WorkspaceClient,
} from '../../../src/databricks/index.ts';
import { axiosTransport } from '../../../src/protocol/transport.ts';
import type { World } from './world.ts';

/** An administrator of Databricks, who acts beside OAM. */
export async function administrator(world: Pick<World, 'databricks'>): Promise<WorkspaceClient> {
  const transport = axiosTransport();
  const { host } = world.databricks.workspaces.prod;
  const { applicationId, secret } = world.databricks.adminCredentials;
  const { accessToken } = await requestClientCredentials({
    host,
    clientId: applicationId,
    clientSecret: secret,
    transport,
    clock: { nowMs: () => Date.now() },
  });
  return createWorkspaceClient({ host, token: () => Promise.resolve(accessToken), transport });
}
