import * as z from 'zod/mini';

import { ASSET_KINDS } from '../../domain/asset-right.ts';
import { DUTIES } from '../../domain/principal.ts';
import { CREDENTIAL_KINDS, type Role, SENSITIVITIES } from '../../domain/role.ts';

/** The stages of an approval as they are stored. */
export const Stages = z.array(
  z.object({
    approverGroups: z.array(z.string()),
    approverDuty: z.optional(z.enum(DUTIES)),
    approverAttributes: z.optional(z.record(z.string(), z.array(z.string()))),
    ofTeam: z.optional(z.object({ name: z.string(), groups: z.array(z.string()) })),
    quorum: z.int(),
  }),
);

const RoleSnapshot = z.object({
  id: z.string(),
  title: z.string(),
  gives: z.string(),
  workspace: z.string(),
  team: z.string(),
  sensitivity: z.enum(SENSITIVITIES),
  credential: z.enum(CREDENTIAL_KINDS),
  group: z.object({ id: z.string(), name: z.string() }),
  servicePrincipal: z.optional(z.object({ id: z.string(), applicationId: z.string() })),
  maxMinutes: z.int(),
  maxTotalMinutes: z.int(),
  defaultMinutes: z.int(),
  tokenMinutes: z.int(),
  approval: Stages,
  probe: z.optional(z.object({ securableType: z.string(), fullName: z.string(), privilege: z.string() })),
  rights: z.optional(z.array(z.object({ kind: z.enum(ASSET_KINDS), name: z.string(), level: z.string() }))),
});

/**
 * A role out of its text, as it is kept beside what was decided on it, so that ending a grant needs nothing but the grant:
 * the catalogue may have moved on.
 */
export function parseRole(stored: unknown): Role {
  const role = RoleSnapshot.parse(stored);
  return { ...role, servicePrincipal: role.servicePrincipal, probe: role.probe };
}
