import * as z from 'zod/mini';

import { nameOf, type Principal } from '../account/directory.ts';
import { apiFailure, doesNotExist, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, param, parseBody, type Route } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { Endpoint } from '../seed/assets.ts';
import type { Workspace } from '../world.ts';
import { predict } from './prediction.ts';

const BASE = '/api/2.0/serving-endpoints';

/** Model serving: list, look, query, and put another version of the model behind an endpoint. */
export function servingRoutes(workspace: Workspace): Route[] {
  const { assets, rights, world } = workspace;

  const levelOf = (caller: Principal, endpoint: Endpoint): string | undefined =>
    // Databricks' own endpoints are everybody's.
    endpoint.id === undefined ? 'CAN_QUERY' : rights.level(caller, 'serving-endpoints', endpoint.id);

  const found = (call: AuthenticatedCall, wanted: 'CAN_VIEW' | 'CAN_QUERY' | 'CAN_MANAGE'): Endpoint => {
    const name = param(call, 'name');
    const endpoint = assets.endpoints.find((each) => each.name === name);
    if (endpoint === undefined) throw doesNotExist(`Endpoint with name '${name}' does not exist.`);
    const allowed =
      endpoint.id === undefined
        ? wanted !== 'CAN_MANAGE'
        : rights.allows(call.caller, 'serving-endpoints', endpoint.id, wanted);
    if (!allowed) {
      const verb = { CAN_VIEW: 'View', CAN_QUERY: 'Query', CAN_MANAGE: 'Manage' }[wanted];
      throw permissionDenied(
        `User ${nameOf(call.caller)} does not have permission '${verb}' on endpoint '${name}'. Please contact the owner or an administrator for access.`,
      );
    }
    return endpoint;
  };

  const query = {
    method: 'POST',
    handle: (call: AuthenticatedCall) => ({
      ...ok(predict(found(call, 'CAN_QUERY'), call.text)),
      headers: { 'served-model-name': found(call, 'CAN_QUERY').entity.split('.').at(-1) ?? '' },
    }),
  } as const;

  return [
    {
      method: 'GET',
      path: BASE,
      handle: (call) => {
        const seen = assets.endpoints.filter((endpoint) => levelOf(call.caller, endpoint) !== undefined);
        return ok({
          endpoints: seen.map((endpoint) => ({
            ...summaryOf(endpoint),
            ...(endpoint.id === undefined && { permission_level: 'CAN_QUERY' }),
          })),
        });
      },
    },
    {
      method: 'GET',
      path: `${BASE}/{name}`,
      handle: (call) => {
        const endpoint = found(call, 'CAN_VIEW');
        return ok({
          ...detailOf(endpoint, world.hosts[workspace.key]),
          permission_level: levelOf(call.caller, endpoint),
        });
      },
    },
    { ...query, path: '/serving-endpoints/{name}/invocations' },
    { ...query, path: `${BASE}/{name}/invocations` },
    {
      method: 'PUT',
      path: `${BASE}/{name}/config`,
      handle: (call) => {
        const endpoint = found(call, 'CAN_MANAGE');
        const { served_entities: entities } = parseBody(Config, call);
        const [entity] = entities;
        if (entity === undefined || entities.length > 1) {
          throw apiFailure(400, 'INVALID_PARAMETER_VALUE', 'Exactly one served entity is expected.');
        }
        const model = world.accountAssets.models.get(entity.entity_name);
        const version = Number(entity.entity_version);
        if (model?.fullName !== endpoint.entity || !model.versions.includes(version)) {
          throw doesNotExist(
            `Model '${entity.entity_name}' with version ${entity.entity_version} does not exist.`,
          );
        }
        endpoint.entityVersion = version;
        endpoint.updatedAtMs = world.clock.nowMs();
        return ok(detailOf(endpoint, world.hosts[workspace.key]));
      },
    },
  ];
}

const Config = z.object({
  served_entities: z.array(z.object({ entity_name: z.string(), entity_version: z.string() })),
});

function summaryOf(endpoint: Endpoint): object {
  const shortName = endpoint.entity.split('.').at(-1) ?? endpoint.entity;
  const served =
    endpoint.id === undefined
      ? { name: endpoint.name, foundation_model: { name: endpoint.entity } }
      : {
          name: `${shortName}-${endpoint.entityVersion}`,
          entity_name: endpoint.entity,
          entity_version: String(endpoint.entityVersion),
        };
  return {
    ...(endpoint.id !== undefined && { id: endpoint.id, creator: endpoint.creator }),
    name: endpoint.name,
    creation_timestamp: endpoint.createdAtMs,
    last_updated_timestamp: endpoint.updatedAtMs,
    state: { ready: 'READY', config_update: 'NOT_UPDATING' },
    config: { served_entities: [served] },
    ...(endpoint.id === undefined && { task: 'llm/v1/chat', endpoint_type: 'FOUNDATION_MODEL_API' }),
  };
}

function detailOf(endpoint: Endpoint, host: string): object {
  return {
    ...summaryOf(endpoint),
    endpoint_url: `${host}/serving-endpoints/${endpoint.name}/invocations`,
    route_optimized: false,
  };
}
