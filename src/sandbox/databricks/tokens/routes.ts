import * as z from 'zod/mini';

import { nameOf, type Principal } from '../account/directory.ts';
import type { IssuedToken } from '../account/tokens.ts';
import { apiFailure, doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, param, parseBody, type Route } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { Workspace } from '../world.ts';

const MAX_TOKENS = 600;
const DEFAULT_LIFETIME_SECONDS = 2 * 365 * 86_400;

const Create = z.object({
  lifetime_seconds: z.optional(z.int()),
  comment: z.optional(z.string()),
  scopes: z.optional(z.array(z.string())),
});

/** Personal access tokens: one's own, and for administrators everybody's. */
export function tokenRoutes({ key, rights, world }: Workspace): Route[] {
  const { directory, tokens } = world;
  const admins = (call: AuthenticatedCall): void => {
    if (!directory.isWorkspaceAdmin(call.caller))
      throw permissionDenied(`${nameOf(call.caller)} is not a workspace admin.`);
  };
  const lifetimeOf = (body: z.infer<typeof Create>): number | undefined => {
    if (body.scopes?.some((scope) => scope !== 'all-apis')) {
      throw invalidParameter('Scoped personal access tokens are not enabled for this workspace.');
    }
    const seconds = body.lifetime_seconds ?? DEFAULT_LIFETIME_SECONDS;
    if (seconds < -1) throw invalidParameter(`Invalid lifetime_seconds: ${seconds}`);
    return seconds === -1 ? undefined : seconds;
  };
  const expectRoom = (owner: Principal): void => {
    if (tokens.personal(key).filter((each) => each.principalId === owner.id).length < MAX_TOKENS) return;
    throw apiFailure(400, 'QUOTA_EXCEEDED', `The quota of ${MAX_TOKENS} tokens has been reached.`);
  };
  return [
    {
      method: 'POST',
      path: '/api/2.0/token/create',
      handle: (call) => {
        const body = parseBody(Create, call);
        if (!rights.allows(call.caller, 'authorization', 'tokens', 'CAN_USE')) {
          throw permissionDenied(`${nameOf(call.caller)} does not have permission to use tokens.`);
        }
        expectRoom(call.caller);
        const { token, info } = tokens.issuePersonal({
          principal: call.caller,
          createdBy: call.caller,
          place: key,
          lifetimeSeconds: lifetimeOf(body),
          comment: body.comment ?? '',
        });
        return ok({ token_value: token, token_info: shown(info) });
      },
    },
    {
      method: 'GET',
      path: '/api/2.0/token/list',
      handle: (call) => {
        const own = tokens.listed(key).filter((token) => token.principalId === call.caller.id);
        return ok({ token_infos: own.map(shown) });
      },
    },
    {
      method: 'POST',
      path: '/api/2.0/token/delete',
      handle: (call) => {
        const { token_id: id } = parseBody(z.object({ token_id: z.string() }), call);
        const found = tokens.personal(key).find((token) => token.id === id);
        if (found?.principalId !== call.caller.id) throw doesNotExist(`Token ${id} does not exist.`);
        tokens.revoke(id);
        return ok({});
      },
    },
    {
      method: 'GET',
      path: '/api/2.0/token-management/tokens',
      handle: (call) => {
        admins(call);
        const createdBy = call.query.get('created_by_id');
        const all = tokens
          .listed(key)
          .filter((token) => createdBy === null || token.createdById === createdBy);
        return ok({
          token_infos: all.map((token) => ({
            ...shown(token),
            created_by_id: Number(token.createdById),
            created_by_username: userNameOf(directory, token.createdById),
            owner_id: Number(token.principalId),
            last_used_day: tokens.lastUsedDay(token.id) ?? 0,
          })),
        });
      },
    },
    {
      method: 'DELETE',
      path: '/api/2.0/token-management/tokens/{id}',
      handle: (call) => {
        admins(call);
        const id = param(call, 'id');
        if (!tokens.personal(key).some((token) => token.id === id)) {
          throw doesNotExist(`Token ${id} does not exist.`);
        }
        tokens.revoke(id);
        return ok({});
      },
    },
    {
      method: 'POST',
      path: '/api/2.0/token-management/on-behalf-of/tokens',
      handle: (call) => {
        admins(call);
        const body = parseBody(z.extend(Create, { application_id: z.string() }), call);
        const owner = directory.servicePrincipalByApplicationId(body.application_id);
        if (owner === undefined)
          throw doesNotExist(`Service principal ${body.application_id} does not exist.`);
        if (!rights.allows(owner, 'authorization', 'tokens', 'CAN_USE')) {
          throw permissionDenied(`${body.application_id} does not have permission to use tokens.`);
        }
        if (world.cloud === 'azure') {
          throw apiFailure(
            404,
            'FEATURE_DISABLED',
            'On-behalf-of token creation is not available in this workspace.',
          );
        }
        expectRoom(owner);
        const { token, info } = tokens.issuePersonal({
          principal: owner,
          createdBy: call.caller,
          place: key,
          lifetimeSeconds: lifetimeOf(body),
          comment: body.comment ?? '',
        });
        return ok({
          token_value: token,
          token_info: {
            ...shown(info),
            created_by_id: Number(call.caller.id),
            owner_id: Number(owner.id),
          },
        });
      },
    },
  ];
}

function userNameOf(directory: Workspace['world']['directory'], id: string): string | undefined {
  const principal = directory.principal(id);
  return principal && nameOf(principal);
}

function shown(token: IssuedToken): object {
  return {
    token_id: token.id,
    comment: token.comment,
    creation_time: token.createdAtMs,
    expiry_time: token.expiresAtMs === Infinity ? -1 : token.expiresAtMs,
  };
}
