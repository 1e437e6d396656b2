import { type AccountGroup, nameOf, type ServicePrincipal, type User } from '../account/directory.ts';
import { scimFailure } from '../http/failures.ts';
import { type AuthenticatedCall, param, type Route } from '../http/router.ts';
import { SEED } from '../seed/identities.ts';
import { managesGroup, type World } from '../world.ts';
import { type MemberChange, readActive, readGroupPatch } from './patch.ts';
import { scimList, scimOne } from './lists.ts';
import {
  groupResource,
  meResource,
  type Resource,
  servicePrincipalResource,
  systemGroupResources,
  userResource,
} from './resources.ts';

const PREVIEW = '/api/2.0/preview/scim/v2';
const PROXY = '/api/2.0/account/scim/v2';

/** SCIM of a workspace: its own view, and the proxy to the account's groups. */
export function workspaceScimRoutes(world: World): Route[] {
  return [
    {
      method: 'GET',
      path: `${PREVIEW}/Me`,
      complains: 'scim',
      handle: (call) => scimOne(meResource(world, call.caller), call),
    },
    ...readRoutes(world, PREVIEW, systemGroupResources()),
    {
      method: 'PATCH',
      path: `${PREVIEW}/Groups/{id}`,
      complains: 'scim',
      rate: 'workspace-scim-write',
      handle: (call) => {
        // The trap: what can be read here cannot be written here. Writes go through the account's proxy.
        throw scimFailure(404, `Group with id ${param(call, 'id')} not found.`);
      },
    },
    ...readRoutes(world, PROXY, []),
    // A manager of just one group is let in here, and only here.
    patchRoute(world, PROXY, (call, groupId) => managesGroup(world, call.caller, groupId)),
  ];
}

/** SCIM of the account: for its administrators only. */
export function accountScimRoutes(world: World): Route[] {
  const base = `/api/2.0/accounts/${SEED.accountId}/scim/v2`;
  const isAdmin = (call: AuthenticatedCall): boolean => world.directory.isAdmin(call.caller);
  const guarded = readRoutes(world, base, []).map((route): Route => {
    if (route.open) return route;
    return {
      ...route,
      handle: (call) => {
        if (!isAdmin(call)) throw notAdmin(call);
        return route.handle(call);
      },
    };
  });
  return [...guarded, patchRoute(world, base, isAdmin), deactivationRoute(world, base)];
}

/** The kill switch: an inactive principal's tokens are worth nothing from then on. */
function deactivationRoute(world: World, base: string): Route {
  return {
    method: 'PATCH',
    path: `${base}/Users/{id}`,
    complains: 'scim',
    rate: 'account-scim-write',
    handle: (call) => {
      if (!world.directory.isAdmin(call.caller)) throw notAdmin(call);
      const user = world.directory.users.get(param(call, 'id'));
      if (user === undefined) throw scimFailure(404, `User with id ${param(call, 'id')} not found.`);
      user.active = readActive(call.text);
      return { status: 204 };
    },
  };
}

function readRoutes(
  world: World,
  base: string,
  systemGroups: ReturnType<typeof systemGroupResources>,
): Route[] {
  const { directory } = world;
  const reads: Pick<Route, 'complains' | 'rate'> = {
    complains: 'scim',
    ...(base !== PREVIEW && { rate: 'account-scim-read' as const }),
  };
  const user = (each: User): Resource => userResource(world, each);
  const servicePrincipal = (each: ServicePrincipal): Resource => servicePrincipalResource(world, each);
  const group = (each: AccountGroup): Resource => groupResource(world, each);
  const collections = [
    collection('Users', directory.users, user),
    collection('ServicePrincipals', directory.servicePrincipals, servicePrincipal),
    collection('Groups', directory.groups, group, systemGroups),
  ];
  return collections.flatMap(({ name, all, one }): Route[] => [
    { method: 'GET', path: `${base}/${name}`, ...reads, handle: (call) => scimList(all(), call) },
    {
      method: 'GET',
      path: `${base}/${name}/{id}`,
      ...reads,
      handle: (call) => {
        const id = param(call, 'id');
        const found = one(id);
        if (found === undefined) throw scimFailure(404, `${name.slice(0, -1)} with id ${id} not found.`);
        return scimOne(found, call);
      },
    },
  ]);
}

/** Resources of one kind, all of them or one. */
function collection<Entry>(
  name: string,
  entries: ReadonlyMap<string, Entry>,
  resourceOf: (entry: Entry) => Resource,
  others: readonly Resource[] = [],
) {
  return {
    name,
    all: () => [...[...entries.values()].map(resourceOf), ...others],
    one: (id: string): Resource | undefined => {
      const entry = entries.get(id);
      return entry === undefined ? others.find((other) => other['id'] === id) : resourceOf(entry);
    },
  };
}

function patchRoute(
  world: World,
  base: string,
  mayWrite: (call: AuthenticatedCall, groupId: string) => boolean,
): Route {
  return {
    method: 'PATCH',
    path: `${base}/Groups/{id}`,
    complains: 'scim',
    rate: 'account-scim-write',
    handle: (call) => {
      const group = world.directory.groups.get(param(call, 'id'));
      if (group === undefined) throw scimFailure(404, `Group with id ${param(call, 'id')} not found.`);
      if (!mayWrite(call, group.id)) throw notAdmin(call);
      if (group.source === 'IDENTITY_PROVIDER') {
        throw scimFailure(
          403,
          `Group ${group.name} is synced from the identity provider and cannot be changed here.`,
        );
      }
      const changes = readGroupPatch(call.text);
      for (const change of changes) check(world, group, change);
      for (const change of changes) carryOut(world, group, change);
      return { status: 204 };
    },
  };
}

function check(world: World, group: AccountGroup, change: MemberChange): void {
  if (change.kind !== 'add' && change.kind !== 'replace') return;
  for (const id of change.memberIds) {
    const known = world.directory.principal(id) !== undefined || world.directory.groups.has(id);
    if (!known || id === group.id) throw scimFailure(404, `Principal with id ${id} not found.`);
  }
}

function carryOut(world: World, group: AccountGroup, change: MemberChange): void {
  const { memberships } = world;
  const removeAllBut = (keep: readonly string[]): void => {
    for (const id of memberships.written(group.id)) {
      if (!keep.includes(id)) memberships.write(group.id, id, false);
    }
  };
  switch (change.kind) {
    case 'add':
      for (const id of change.memberIds) memberships.write(group.id, id, true);
      break;
    case 'remove':
      memberships.write(group.id, change.memberId, false);
      break;
    case 'remove-all':
      removeAllBut([]);
      break;
    case 'replace':
      removeAllBut(change.memberIds);
      for (const id of change.memberIds) memberships.write(group.id, id, true);
      break;
  }
}

function notAdmin(call: AuthenticatedCall): Error {
  return scimFailure(403, `${nameOf(call.caller)} is not authorized to perform this operation.`);
}
