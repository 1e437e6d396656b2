import { type Grant, isLive } from './grant.ts';
import type { PrincipalKey } from './principal.ts';
import type { Role } from './role.ts';

/** The place of a member in a JIT group. Grants that share it stand or fall together. */
export interface Membership {
  /** Databricks' id of the group. */
  readonly groupId: string;
  /** See {@link memberKey}. */
  readonly memberKey: string;
}

/**
 * Who becomes a member when a role is granted: the person themselves, or the service principal that the role acts
 * as. A stable key that needs no look-up in Databricks.
 */
export function memberKey(role: Role, principal: PrincipalKey): string {
  return role.servicePrincipal === undefined
    ? `principal:${JSON.stringify([principal.iss, principal.sub])}`
    : `service-principal:${role.servicePrincipal.id}`;
}

/** The membership that a grant of a role demands while it lives. */
export function membershipOf(role: Role, principal: PrincipalKey): Membership {
  return { groupId: role.group.id, memberKey: memberKey(role, principal) };
}

/** True for the same place in the same group. */
export function sameMembership(a: Membership, b: Membership): boolean {
  return a.groupId === b.groupId && a.memberKey === b.memberKey;
}

/** A grant, with what a membership needs to know of it. */
export interface MembershipClaim extends Pick<Grant, 'state'> {
  readonly membership: Membership;
  /** True from the moment on at which Databricks may have been asked to add the member for this grant. */
  readonly additionBegun: boolean;
}

/**
 * Effective access is the union of the live grants: a membership is demanded while any one of them lives, and goes
 * only when none is left. One for which nothing was begun is none of them: at its end there would be nothing of its own
 * to take away, and what it kept of another grant would stay for ever.
 */
export function isDemanded(membership: Membership, claims: readonly MembershipClaim[]): boolean {
  return claims.some(
    (claim) => isLive(claim) && claim.additionBegun && sameMembership(claim.membership, membership),
  );
}
