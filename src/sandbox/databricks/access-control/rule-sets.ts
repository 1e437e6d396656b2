import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import { nameOf, type Principal } from '../account/directory.ts';
import { SEED, type SeededGroup } from '../seed/identities.ts';

/** Who has which role. */
export const GrantRule = z.object({ role: z.string(), principals: z.array(z.string()) });
/** See {@link GrantRule}. */
export type GrantRule = z.infer<typeof GrantRule>;

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
