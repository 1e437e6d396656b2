import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { TeamMembership } from '../policy/facts.ts';

/**
 * The groups that the identity provider lists for somebody.
 *
 * @throws {OamError} `groups_overflowed`: an incomplete list is neither a yes nor a no.
 */
export function groupsOf(principal: Pick<Principal, 'groups'>): readonly string[] {
  if (principal.groups.kind === 'overflowed') {
    throw new OamError(
      'groups_overflowed',
      'You are in more groups than your identity provider puts into a token, so your teams cannot be seen. Ask your administrator to send only the groups that OAM needs.',
    );
  }
  return principal.groups.names;
}

/**
 * The teams that somebody belongs to or leads.
 *
 * @throws {OamError} `groups_overflowed`.
 */
export function teamsOf(principal: Pick<Principal, 'groups'>, catalogue: Catalogue): TeamMembership[] {
  const groups = groupsOf(principal);
  return catalogue.teams
    .filter((team) => groups.includes(team.group) || groups.includes(team.leadGroup))
    .map((team) => ({ name: team.name, lead: groups.includes(team.leadGroup) }));
}

/** The names of the teams that somebody leads. Nobody leads anything by a list that overflowed. */
export function ledTeams(principal: Principal, catalogue: Catalogue): string[] {
  if (principal.groups.kind === 'overflowed') return [];
  return teamsOf(principal, catalogue)
    .filter((team) => team.lead)
    .map((team) => team.name);
}

/**
 * One team sees nothing of another; auditors see everything. A workload is in no team: which roles are its own is for
 * the rules alone to say.
 */
export function seesRole(principal: Principal, teams: readonly TeamMembership[], role: Role): boolean {
  return (
    isAuditor(principal) || principal.workload !== undefined || teams.some((team) => team.name === role.team)
  );
}

/** True for those whose duty it is to look at everything. */
export function isAuditor(principal: Pick<Principal, 'duty'>): boolean {
  return principal.duty === 'auditor';
}

/**
 * A role of the catalogue that somebody may know of.
 *
 * @throws {OamError} `unknown_role` where there is none of this id for them, `groups_overflowed`.
 */
export function visibleRole(catalogue: Catalogue, principal: Principal, roleId: string): Role {
  const role = catalogue.roles.find((candidate) => candidate.id === roleId);
  if (role === undefined || !seesRole(principal, teamsOf(principal, catalogue), role)) {
    throw new OamError('unknown_role', 'There is no such role for you. Choose one from the list of roles.', {
      detail: roleId,
    });
  }
  return role;
}
