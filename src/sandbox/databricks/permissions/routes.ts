import * as z from 'zod/mini';

import { nameOf, SYSTEM_GROUPS } from '../account/directory.ts';
import { isObjectType, LEVEL_DESCRIPTIONS, LEVELS, type ObjectType, strength } from '../account/levels.ts';
import { type AclEntry, ObjectRights, type PrincipalRef } from '../account/object-rights.ts';
import { apiFailure, doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, param, parseBody, type Route } from '../http/router.ts';
import { ok, type Reply } from '../http/reply.ts';
import type { Workspace, World } from '../world.ts';

const BASE = '/api/2.0/permissions';

/** Rights on a workspace's objects: read, add, replace. Entries, not effective access: groups are not expanded. */
export function permissionRoutes(workspace: Workspace): Route[] {
  const target = (call: AuthenticatedCall): Target =>
    findTarget(workspace, param(call, 'type'), param(call, 'id'));

  const managed = (call: AuthenticatedCall): Target => {
    const found = target(call);
    const mayManage =
      found.type === 'authorization'
        ? workspace.world.directory.isWorkspaceAdmin(call.caller)
        : workspace.rights.allows(call.caller, found.type, found.id, 'CAN_MANAGE');
    if (!mayManage) throw refusal(call, 'Manage', found);
    return found;
  };

  const written = (call: AuthenticatedCall, write: (found: Target, entries: AclEntry[]) => void): Reply => {
    const found = managed(call);
    const { access_control_list: asked = [] } = parseBody(AccessControlList, call);
    write(
      found,
      asked.map((entry) => readEntry(workspace.world, found.type, entry)),
    );
    return shown(workspace, found);
  };

  return [
    {
      method: 'GET',
      path: `${BASE}/{type}/{id}`,
      rate: 'permissions-read',
      handle: (call) => {
        const found = target(call);
        const weakest = ObjectRights.weakest(found.type);
        if (!workspace.rights.allows(call.caller, found.type, found.id, weakest))
          throw refusal(call, 'View', found);
        return shown(workspace, found);
      },
    },
    {
      method: 'GET',
      path: `${BASE}/{type}/{id}/permissionLevels`,
      rate: 'permissions-read',
      handle: (call) => {
        const { type } = target(call);
        return ok({
          permission_levels: LEVELS[type].map((level) => ({
            permission_level: level,
            description: LEVEL_DESCRIPTIONS[level] ?? level,
          })),
        });
      },
    },
    {
      method: 'PATCH',
      path: `${BASE}/{type}/{id}`,
      rate: 'permissions-write',
      // The trap: one direct level per principal. A weaker one written here takes the stronger one's place.
      handle: (call) =>
        written(call, ({ type, id }, entries) => {
          for (const entry of entries) workspace.rights.set(type, id, entry);
        }),
    },
    {
      method: 'PUT',
      path: `${BASE}/{type}/{id}`,
      rate: 'permissions-write',
      handle: (call) =>
        written(call, ({ type, id }, entries) => {
          workspace.rights.replace(type, id, entries);
          if (type === 'authorization') dropTokensOfThoseWhoLost(workspace);
        }),
    },
  ];
}

interface Target {
  readonly type: ObjectType;
  readonly id: string;
}

const AccessControlList = z.object({
  access_control_list: z.optional(
    z.array(
      z.object({
        user_name: z.optional(z.string()),
        group_name: z.optional(z.string()),
        service_principal_name: z.optional(z.string()),
        permission_level: z.string(),
      }),
    ),
  ),
});

type WrittenEntry = NonNullable<z.infer<typeof AccessControlList>['access_control_list']>[number];

function findTarget({ assets }: Workspace, type: string, id: string): Target {
  if (!isObjectType(type)) throw invalidParameter(`${type} is not a supported object type.`);
  switch (type) {
    case 'serving-endpoints':
      if (!/^[0-9a-f]{32}$/.test(id))
        throw apiFailure(400, 'BAD_REQUEST', `'${id}' is not a valid Inference Endpoint ID.`);
      if (!assets.endpoints.some((endpoint) => endpoint.id === id)) {
        throw doesNotExist(`Inference Endpoint with id ${id} does not exist.`);
      }
      break;
    case 'clusters':
      if (!assets.clusters.some((cluster) => cluster.id === id)) {
        throw apiFailure(
          400,
          'INVALID_STATE',
          `Cannot access cluster ${id} that was terminated or unpinned more than 30 days ago.`,
        );
      }
      break;
    case 'jobs':
      if (!assets.jobs.some((job) => String(job.id) === id)) throw doesNotExist(`Job ${id} does not exist.`);
      break;
    case 'experiments':
      if (!assets.experiments.some((experiment) => experiment.id === id)) {
        throw doesNotExist(`Node ID ${id} does not exist.`);
      }
      break;
    case 'authorization':
      if (id !== 'tokens') throw doesNotExist(`${id} does not exist.`);
      break;
  }
  return { type, id };
}

function readEntry(world: World, type: ObjectType, entry: WrittenEntry): AclEntry {
  if (strength(type, entry.permission_level) < 0) {
    throw invalidParameter(`Permission level ${entry.permission_level} is not supported on ${type}.`);
  }
  return { principal: readPrincipal(world, entry), level: entry.permission_level };
}

function readPrincipal({ directory }: World, entry: WrittenEntry): PrincipalRef {
  if (entry.user_name !== undefined && directory.userByName(entry.user_name)) {
    return { kind: 'user', name: entry.user_name };
  }
  const group = entry.group_name;
  if (group !== undefined && (directory.groupByName(group) ?? group === SYSTEM_GROUPS.users.name)) {
    return { kind: 'group', name: group };
  }
  const applicationId = entry.service_principal_name;
  if (applicationId !== undefined && directory.servicePrincipalByApplicationId(applicationId)) {
    return { kind: 'service-principal', name: applicationId };
  }
  const name = entry.user_name ?? entry.group_name ?? entry.service_principal_name ?? '';
  throw doesNotExist(`Principal: ${name} does not exist`);
}

function shown({ rights, world }: Workspace, { type, id }: Target): Reply {
  const keys = {
    user: 'user_name',
    group: 'group_name',
    'service-principal': 'service_principal_name',
  } as const;
  const direct = rights.entries(type, id).map(({ principal, level }) => ({
    [keys[principal.kind]]: principal.name,
    ...(principal.kind === 'user' && {
      display_name: world.directory.userByName(principal.name)?.displayName,
    }),
    all_permissions: [{ permission_level: level, inherited: false }],
  }));
  const inherited = {
    group_name: SYSTEM_GROUPS.admins.name,
    all_permissions: [
      {
        permission_level: type === 'authorization' ? 'CAN_USE' : 'CAN_MANAGE',
        inherited: true,
        inherited_from_object: [`/${type}/`],
      },
    ],
  };
  const singular = {
    clusters: 'cluster',
    jobs: 'job',
    experiments: 'mlflowExperiment',
    authorization: 'tokens',
  };
  return ok({
    object_id: `/${type}/${id}`,
    object_type: type === 'serving-endpoints' ? 'serving-endpoint' : singular[type],
    access_control_list: [...direct, inherited],
  });
}

/** The trap: who loses the right to tokens loses the tokens. */
function dropTokensOfThoseWhoLost({ key, rights, world }: Workspace): void {
  for (const token of world.tokens.personal(key)) {
    const owner = world.directory.principal(token.principalId);
    if (owner === undefined || !rights.allows(owner, 'authorization', 'tokens', 'CAN_USE')) {
      world.tokens.revoke(token.id);
    }
  }
}

function refusal(call: AuthenticatedCall, what: string, { type, id }: Target): Error {
  return permissionDenied(
    `${nameOf(call.caller)} does not have ${what} permissions on /${type}/${id}. Please contact the owner or an administrator for access.`,
  );
}
