import type { Catalogue } from '../../../src/control-plane/catalogue/catalogue.ts';
import type { PolicyVersion } from '../../../src/control-plane/policy/version.ts';
import type { Role } from '../../../src/domain/role.ts';

/** A policy that came after another: one role is not what it was. */
export function withRole(roleId: string, changes: Partial<Role>): (policy: PolicyVersion) => PolicyVersion {
  return withCatalogue((catalogue) => ({
    ...catalogue,
    roles: catalogue.roles.map((role) => (role.id === roleId ? { ...role, ...changes } : role)),
  }));
}

/** A policy that came after another: the catalogue is not what it was. */
export function withCatalogue(
  change: (catalogue: Catalogue) => Catalogue,
): (policy: PolicyVersion) => PolicyVersion {
  return (policy) => ({
    hash: `${policy.hash}-2`,
    catalogue: change(policy.catalogue),
    decideRequest: (facts) => policy.decideRequest(facts),
    decideApproval: (facts) => policy.decideApproval(facts),
    decideDelegation: (facts) => policy.decideDelegation(facts),
    decideRevocation: (facts) => policy.decideRevocation(facts),
    decideAuditRead: (facts) => policy.decideAuditRead(facts),
    decideKeyRotation: (facts) => policy.decideKeyRotation(facts),
  });
}
