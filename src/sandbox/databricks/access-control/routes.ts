import * as z from 'zod/mini';

import { nameOf } from '../account/directory.ts';
import { apiFailure, doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { ok, type Reply } from '../http/reply.ts';
import { type AuthenticatedCall, parseBody, type Route } from '../http/router.ts';
import { SEED } from '../seed/identities.ts';
import { managesGroup, type World } from '../world.ts';
import { GrantRule } from './rule-sets.ts';

/** The rule-set operations, on the account's host and through a workspace. */
export function ruleSetRoutes(world: World, base: string): Route[] {
  const groupOf = (call: AuthenticatedCall, name: string | null): string => {
    const found = /^accounts\/([^/]+)\/groups\/(\d+)\/ruleSets\/default$/.exec(name ?? '');
    if (found?.[1] !== SEED.accountId || found[2] === undefined) {
      throw invalidParameter(`Invalid rule set name: ${name ?? ''}`);
    }
    if (!world.directory.groups.has(found[2])) throw doesNotExist(`Group ${found[2]} does not exist.`);
    if (!managesGroup(world, call.caller, found[2])) {
      throw permissionDenied(
        `${nameOf(call.caller)} does not have permission to the rule set ${name ?? ''}.`,
      );
    }
    return found[2];
  };
  const shown = (groupId: string): Reply =>
    ok({
      name: `accounts/${SEED.accountId}/groups/${groupId}/ruleSets/default`,
      etag: world.ruleSets.etag(groupId),
      grant_rules: world.ruleSets.rules(groupId),
    });
  return [
    {
      method: 'GET',
      path: `${base}/rule-sets`,
      handle: (call) => shown(groupOf(call, call.query.get('name'))),
    },
    {
      method: 'PUT',
      path: `${base}/rule-sets`,
      handle: (call) => {
        const body = parseBody(
          z.object({
            name: z.string(),
            rule_set: z.object({
              name: z.string(),
              etag: z.string(),
              grant_rules: z.optional(z.array(GrantRule)),
            }),
          }),
          call,
        );
        const groupId = groupOf(call, body.name);
        if (body.rule_set.etag !== world.ruleSets.etag(groupId)) {
          throw apiFailure(
            409,
            'RESOURCE_CONFLICT',
            'The rule set was changed by another request. Read it again and retry.',
          );
        }
        world.ruleSets.replace(groupId, body.rule_set.grant_rules ?? []);
        return shown(groupId);
      },
    },
  ];
}
