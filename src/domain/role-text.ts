import { stageContent } from './approvers.ts';
import { canonicalJson } from './canonical.ts';
import type { Role } from './role.ts';

/** All that a role is, as one text: the same for roles that differ in nothing. */
export function roleText(role: Role): string {
  return canonicalJson({
    ...role,
    group: { ...role.group },
    servicePrincipal: role.servicePrincipal && { ...role.servicePrincipal },
    approval: role.approval.map(stageContent),
    probe: role.probe && { ...role.probe },
    rights: role.rights?.map((right) => ({ ...right })),
  });
}
