import * as z from 'zod/mini';

import { nameOf } from '../account/directory.ts';
import { doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { pageOf, param, parseBody, type Route, wholeNumber } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import { SEED } from '../seed/identities.ts';
import { managesGroup, type World } from '../world.ts';

const BASE = '/api/2.0/identity';

/** IAM v2 (beta) as a workspace offers it: identity-provider ids, transitive groups, one membership per call. */
export function identityRoutes(world: World): Route[] {
  const { directory, memberships } = world;
  return [
    {
      method: 'POST',
      path: `${BASE}/users/resolve-by-external-id`,
      handle: (call) => {
        const { external_id: externalId } = parseBody(z.object({ external_id: z.string() }), call);
        const user = directory.userByExternalId(externalId);
        if (user === undefined) throw doesNotExist(`User with external id ${externalId} does not exist.`);
        return ok({
          user: {
            account_id: SEED.accountId,
            user_id: user.id,
            username: user.userName,
            external_id: externalId,
            account_user_status: user.active ? 'ACTIVE' : 'INACTIVE',
          },
        });
      },
    },
    {
      method: 'GET',
      path: `${BASE}/principals/{id}/transitive-parent-groups`,
      handle: (call) => {
        const id = param(call, 'id');
        if (id !== call.caller.id && !directory.isAdmin(call.caller)) {
          throw permissionDenied(`${nameOf(call.caller)} may read its own groups only.`);
        }
        const size = wholeNumber(call.query, 'page_size', { min: 1, max: 1_000, otherwise: 1_000 });
        const { rows, next } = pageOf(directory.groupsOf(id), call.query.get('page_token'), size);
        return ok({
          transitive_parent_groups: rows.map(({ group }) => ({
            account_id: SEED.accountId,
            group_id: group.id,
          })),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'POST',
      path: `${BASE}/groups/{group}/direct-members`,
      rate: 'account-scim-write',
      handle: (call) => {
        const { principal_id: given } = parseBody(
          z.object({ principal_id: z.union([z.int(), z.string()]) }),
          call,
        );
        const group = writable(world, call.caller, param(call, 'group'));
        const id = String(given);
        if (directory.principal(id) === undefined) throw doesNotExist(`Principal ${id} does not exist.`);
        memberships.write(group, id, true);
        return ok({
          group_id: Number(group),
          principal_id: Number(id),
          principal_type: directory.users.has(id) ? 'USER' : 'SERVICE_PRINCIPAL',
          display_name: directory.displayOf(id),
          membership_source: 'INTERNAL',
        });
      },
    },
    {
      method: 'DELETE',
      path: `${BASE}/groups/{group}/direct-members/{id}`,
      rate: 'account-scim-write',
      handle: (call) => {
        memberships.write(writable(world, call.caller, param(call, 'group')), param(call, 'id'), false);
        return ok({});
      },
    },
  ];
}

function writable(world: World, caller: Parameters<typeof managesGroup>[1], groupId: string): string {
  const group = world.directory.groups.get(groupId);
  if (group === undefined) throw doesNotExist(`Group ${groupId} does not exist.`);
  if (!managesGroup(world, caller, groupId)) {
    throw permissionDenied(`${nameOf(caller)} does not manage group ${groupId}.`);
  }
  if (group.source === 'IDENTITY_PROVIDER') {
    throw invalidParameter(`Group ${groupId} is synced from the identity provider.`);
  }
  return groupId;
}
