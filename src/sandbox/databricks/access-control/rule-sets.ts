import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import { nameOf, type Principal } from '../account/directory.ts';
import { apiFailure, doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, ok, parseBody, type Reply, type Route } from '../http/router.ts';
import { SEED, type SeededGroup } from '../seed/identities.ts';
import { managesGroup, type World } from '../world.ts';

const GrantRule = z.object({ role: z.string(), principals: z.array(z.string()) });
type GrantRule = z.infer<typeof GrantRule>;

/** Who manages and who may assume which group. Whole sets are replaced, guarded by an etag. */
export class RuleSets {
  readonly #rules = new Map<string, readonly GrantRule[]>();

  /** @param jitGroups managed by OAM's own service principal. */
  constructor(jitGroups: readonly SeededGroup[]) {
    const core = `servicePrincipals/${SEED.servicePrincipals.core.applicationId}`;
    for (const group of jitGroups) {
      this.#rules.set(group.id, [{ role: 'roles/group.manager', principals: [core] }]);
    }
  }

  hasRole(groupId: string, principal: Principal, role: string): boolean {
    const prefixes = { user: 'users', 'service-principal': 'servicePrincipals', role: 'groups' };
    const name = `${prefixes[principal.kind]}/${nameOf(principal)}`;
    return this.rules(groupId).some((rule) => rule.role === role && rule.principals.includes(name));
  }

  rules(groupId: string): readonly GrantRule[] {
    return this.#rules.get(groupId) ?? [];
  }

  etag(groupId: string): string {
    return createHash('sha256')
      .update(JSON.stringify([groupId, this.rules(groupId)]))
      .digest('base64url');
  }

  replace(groupId: string, rules: readonly GrantRule[]): void {
    this.#rules.set(groupId, rules);
  }
}

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
