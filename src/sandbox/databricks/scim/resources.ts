import type { AccountGroup, Principal, ServicePrincipal, User } from '../account/directory.ts';
import { SYSTEM_GROUPS } from '../account/directory.ts';
import { scimFailure } from '../http/failures.ts';
import type { World } from '../world.ts';

const SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0';

/** A SCIM resource as it goes over the wire. */
export type Resource = Readonly<Record<string, unknown>>;

/** A user; `withGroups` as `/Me` has it. */
export function userResource(world: World, user: User): Resource {
  const [givenName = user.displayName, ...rest] = user.displayName.split(' ');
  return {
    schemas: [`${SCHEMA}:User`],
    id: user.id,
    userName: user.userName,
    displayName: user.displayName,
    active: user.active,
    ...(world.showsExternalIds && user.externalId !== undefined && { externalId: user.externalId }),
    name: { givenName, familyName: rest.join(' ') },
    emails: [{ value: user.userName, type: 'work', primary: true }],
    groups: groupRefs(world, user),
    entitlements: [{ value: 'workspace-access' }, { value: 'databricks-sql-access' }],
  };
}

/** A service principal. */
export function servicePrincipalResource(world: World, principal: ServicePrincipal): Resource {
  return {
    schemas: [`${SCHEMA}:ServicePrincipal`],
    id: principal.id,
    applicationId: principal.applicationId,
    displayName: principal.displayName,
    active: principal.active,
    groups: groupRefs(world, principal),
    entitlements: [{ value: 'workspace-access' }],
  };
}

/** The caller: for a service principal `userName` is the application id. */
export function meResource(world: World, caller: Principal): Resource {
  if (caller.kind === 'user') return userResource(world, caller);
  // As Databricks has it: an assumed role is looked for among the users.
  if (caller.kind === 'role') throw scimFailure(404, `User with id ${caller.id} not found.`);
  return {
    ...servicePrincipalResource(world, caller),
    schemas: [`${SCHEMA}:User`],
    userName: caller.applicationId,
  };
}

/** An account group with its direct members as reads see them now. */
export function groupResource(world: World, group: AccountGroup): Resource {
  const members = [...world.memberships.visible(group.id)].map((id) => ({
    value: id,
    display: world.directory.displayOf(id),
    $ref: `${kindOf(world, id)}/${id}`,
  }));
  return {
    schemas: [`${SCHEMA}:Group`],
    id: group.id,
    displayName: group.name,
    meta: { resourceType: 'Group' },
    ...(group.source === 'IDENTITY_PROVIDER' && { externalId: `idp-${group.id}` }),
    // An empty group has no key for its members at all.
    ...(members.length > 0 && { members }),
  };
}

/** Databricks' own groups of a workspace. */
export function systemGroupResources(): Resource[] {
  return Object.values(SYSTEM_GROUPS).map(({ id, name }) => ({
    schemas: [`${SCHEMA}:Group`],
    id,
    displayName: name,
    meta: { resourceType: 'WorkspaceGroup' },
  }));
}

function kindOf(world: World, id: string): string {
  if (world.directory.users.has(id)) return 'Users';
  return world.directory.servicePrincipals.has(id) ? 'ServicePrincipals' : 'Groups';
}

function groupRefs(world: World, principal: Principal): Resource[] {
  const own = world.directory.groupsOf(principal.id).map(({ group, direct }) => ({
    value: group.id,
    display: group.name,
    type: direct ? 'direct' : 'indirect',
    $ref: `Groups/${group.id}`,
  }));
  const system = [
    SYSTEM_GROUPS.users,
    ...(world.directory.isWorkspaceAdmin(principal) ? [SYSTEM_GROUPS.admins] : []),
  ];
  return [
    ...own,
    ...system.map(({ id, name }) => ({ value: id, display: name, type: 'direct', $ref: `Groups/${id}` })),
  ];
}
