import type { PolicyVersion } from '../../../src/control-plane/policy/version.ts';

/** A policy that came after another: one role gives something else now. */
export function withWiderRole(roleId: string): (policy: PolicyVersion) => PolicyVersion {
  return (policy) => ({
    hash: `${policy.hash}-2`,
    catalogue: {
      ...policy.catalogue,
      roles: policy.catalogue.roles.map((role) =>
        role.id === roleId ? { ...role, gives: 'Everything' } : role,
      ),
    },
    decideRequest: (facts) => policy.decideRequest(facts),
    decideApproval: (facts) => policy.decideApproval(facts),
    decideRevocation: (facts) => policy.decideRevocation(facts),
    decideAuditRead: (facts) => policy.decideAuditRead(facts),
  });
}
