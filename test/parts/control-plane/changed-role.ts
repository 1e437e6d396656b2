import type { PolicyVersion } from '../../../src/control-plane/policy/version.ts';
import type { Role } from '../../../src/domain/role.ts';

/** A policy that came after another: one role is not what it was. */
export function withRole(roleId: string, changes: Partial<Role>): (policy: PolicyVersion) => PolicyVersion {
  return (policy) => ({
    hash: `${policy.hash}-2`,
    catalogue: {
      ...policy.catalogue,
      roles: policy.catalogue.roles.map((role) => (role.id === roleId ? { ...role, ...changes } : role)),
    },
    decideRequest: (facts) => policy.decideRequest(facts),
    decideApproval: (facts) => policy.decideApproval(facts),
    decideRevocation: (facts) => policy.decideRevocation(facts),
    decideAuditRead: (facts) => policy.decideAuditRead(facts),
    decideKeyRotation: (facts) => policy.decideKeyRotation(facts),
  });
}
