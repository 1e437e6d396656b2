import * as z from 'zod/mini';

import { nameOf } from '../account/directory.ts';
import { apiFailure, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, pageOf, parseBody, type Route, wholeNumber } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { ClusterRow } from '../seed/assets.ts';
import type { Workspace } from '../world.ts';

const VERBS = { CAN_ATTACH_TO: 'Attach', CAN_RESTART: 'Restart', CAN_MANAGE: 'Manage' } as const;

/** Clusters, in both versions of the API that clients use. */
export function clusterRoutes(workspace: Workspace): Route[] {
  return ['/api/2.1/clusters', '/api/2.0/clusters'].flatMap((base) => routesUnder(workspace, base));
}

function routesUnder({ assets, rights }: Workspace, base: string): Route[] {
  const reach = (call: AuthenticatedCall, id: string, wanted: keyof typeof VERBS): ClusterRow => {
    const cluster = assets.clusters.find((each) => each.id === id);
    // A 400, not a 404: that is how this area says it.
    if (cluster === undefined) throw invalidParameter(`Cluster ${id} does not exist`);
    if (!rights.allows(call.caller, 'clusters', id, wanted)) {
      throw permissionDenied(
        `${nameOf(call.caller)} does not have ${VERBS[wanted]} permissions on ${id}. Please contact the owner or an administrator for access.`,
      );
    }
    return cluster;
  };

  const action = (
    name: string,
    wanted: keyof typeof VERBS,
    from: readonly ClusterRow['state'][],
    to: ClusterRow['state'],
  ): Route => ({
    method: 'POST',
    path: `${base}/${name}`,
    handle: (call) => {
      const { cluster_id: id } = parseBody(z.object({ cluster_id: z.string() }), call);
      const cluster = reach(call, id, wanted);
      if (!from.includes(cluster.state)) {
        throw apiFailure(400, 'INVALID_STATE', `Cluster ${id} is in unexpected state ${cluster.state}.`);
      }
      cluster.state = to;
      return ok({});
    },
  });

  return [
    {
      method: 'GET',
      path: `${base}/list`,
      handle: (call) => {
        const seen = assets.clusters.filter((cluster) =>
          rights.allows(call.caller, 'clusters', cluster.id, 'CAN_ATTACH_TO'),
        );
        const size = wholeNumber(call.query, 'page_size', { min: 0, max: 100, otherwise: 20 });
        const { rows, next } = pageOf(seen, call.query.get('page_token'), size === 0 ? 20 : size);
        return ok({ clusters: rows.map(shown), ...(next !== undefined && { next_page_token: next }) });
      },
    },
    {
      method: 'GET',
      path: `${base}/get`,
      handle: (call) => ok(shown(reach(call, call.query.get('cluster_id') ?? '', 'CAN_ATTACH_TO'))),
    },
    action('start', 'CAN_RESTART', ['TERMINATED'], 'RUNNING'),
    action('restart', 'CAN_RESTART', ['RUNNING'], 'RUNNING'),
    action('delete', 'CAN_RESTART', ['RUNNING', 'TERMINATED'], 'TERMINATED'),
    {
      method: 'POST',
      path: `${base}/resize`,
      handle: (call) => {
        const { cluster_id: id } = parseBody(z.object({ cluster_id: z.string() }), call);
        reach(call, id, 'CAN_MANAGE');
        return ok({});
      },
    },
  ];
}

function shown(cluster: ClusterRow): object {
  return {
    cluster_id: cluster.id,
    cluster_name: cluster.name,
    creator_user_name: cluster.creator,
    spark_version: '17.3.x-gpu-ml-scala2.13',
    node_type_id: cluster.nodeType,
    driver_node_type_id: cluster.nodeType,
    num_workers: cluster.workers,
    autotermination_minutes: 60,
    cluster_source: 'UI',
    data_security_mode: cluster.mode,
    ...(cluster.dedicatedTo !== undefined && { single_user_name: cluster.dedicatedTo }),
    state: cluster.state,
    state_message: '',
  };
}
