import type { SandboxPerson } from '../options.ts';
import { SEED, type SeededGroup } from '../seed/identities.ts';
import type { Memberships } from './memberships.ts';

/** A person of the account. */
export interface User {
  readonly kind: 'user';
  readonly id: string;
  readonly userName: string;
  readonly displayName: string;
  readonly externalId: string | undefined;
  readonly password: string | undefined;
  active: boolean;
}

/** A service principal of the account. */
export interface ServicePrincipal {
  readonly kind: 'service-principal';
  readonly id: string;
  readonly applicationId: string;
  readonly displayName: string;
  active: boolean;
}

/** Who is in the account, and can be a member of groups. */
export type AccountPrincipal = User | ServicePrincipal;

/** A group whose rights somebody works with in the place of their own (role assumption). */
export interface AssumedRole {
  readonly kind: 'role';
  /** The group's. */
  readonly id: string;
  readonly name: string;
  readonly runBy: AccountPrincipal;
  readonly active: boolean;
}

/** Who can act. */
export type Principal = AccountPrincipal | AssumedRole;

/** A group of the account. Membership of one that the identity provider keeps cannot be written here. */
export interface AccountGroup {
  readonly id: string;
  readonly name: string;
  readonly source: 'INTERNAL' | 'IDENTITY_PROVIDER';
}

/** Databricks' own groups of a workspace; nobody writes to them. */
export const SYSTEM_GROUPS = {
  users: { id: '100001', name: 'users' },
  admins: { id: '100002', name: 'admins' },
} as const;

/** Databricks' own group of everybody in the account. */
export const ACCOUNT_USERS = 'account users';

/** How deep groups may lie in groups. */
const MAX_NESTING = 10;

/** What a principal is called in lists of rights: a user name, an application id, or for a role its group's name. */
export function nameOf(principal: Principal): string {
  switch (principal.kind) {
    case 'user':
      return principal.userName;
    case 'service-principal':
      return principal.applicationId;
    case 'role':
      return principal.name;
  }
}

/** The principals and groups of the account. */
export class Directory {
  readonly memberships: Memberships;
  readonly users = new Map<string, User>();
  readonly servicePrincipals = new Map<string, ServicePrincipal>();
  readonly groups = new Map<string, AccountGroup>();

  constructor(people: readonly SandboxPerson[], jitGroups: readonly SeededGroup[], memberships: Memberships) {
    this.memberships = memberships;
    for (const group of Object.values(SEED.groups)) this.#addGroup(group, 'IDENTITY_PROVIDER');
    for (const group of jitGroups) this.#addGroup(group, 'INTERNAL');
    for (const seeded of Object.values(SEED.servicePrincipals)) {
      this.servicePrincipals.set(seeded.id, { kind: 'service-principal', ...seeded, active: true });
    }
    people.forEach((person, index) => {
      this.#addPerson(person, index);
    });
    for (const group of Object.values(SEED.groups)) {
      if (group.name.startsWith('ml-') && group.id !== SEED.groups.everyone.id) {
        memberships.write(SEED.groups.everyone.id, group.id, true);
      }
    }
    memberships.write(SEED.groups.recsys.id, SEED.servicePrincipals.ci.id, true);
  }

  principal(id: string): AccountPrincipal | undefined {
    return this.users.get(id) ?? this.servicePrincipals.get(id);
  }

  /** User names are compared without regard to case, as Databricks does. */
  userByName(userName: string): User | undefined {
    const wanted = userName.toLowerCase();
    return [...this.users.values()].find((user) => user.userName.toLowerCase() === wanted);
  }

  userByExternalId(externalId: string): User | undefined {
    return [...this.users.values()].find((user) => user.externalId === externalId);
  }

  servicePrincipalByApplicationId(applicationId: string): ServicePrincipal | undefined {
    return [...this.servicePrincipals.values()].find((each) => each.applicationId === applicationId);
  }

  groupByName(name: string): AccountGroup | undefined {
    return [...this.groups.values()].find((group) => group.name === name);
  }

  /** The account's and all workspaces' administrator. */
  isAdmin(principal: Principal): boolean {
    return principal.id === SEED.servicePrincipals.admin.id;
  }

  /** An administrator of the workspaces. */
  isWorkspaceAdmin(principal: Principal): boolean {
    const { tokens, reader } = SEED.servicePrincipals;
    return this.isAdmin(principal) || [tokens.id, reader.id].some((id) => id === principal.id);
  }

  /** A group as somebody works with its rights; undefined where there is no such group. */
  roleOf(groupId: string, runBy: AccountPrincipal): AssumedRole | undefined {
    const group = this.groups.get(groupId);
    return group && { kind: 'role', id: group.id, name: group.name, runBy, active: runBy.active };
  }

  /** Groups of the account that the principal is in, directly or through other groups, as seen now. */
  groupsOf(principalId: string): { readonly group: AccountGroup; readonly direct: boolean }[] {
    const found = new Map<string, boolean>();
    let layer = [principalId];
    for (let depth = 0; depth < MAX_NESTING && layer.length > 0; depth++) {
      const above = layer.flatMap((id) => this.memberships.groupsOf(id)).filter((id) => !found.has(id));
      for (const id of above) found.set(id, depth === 0);
      layer = above;
    }
    return [...found].flatMap(([id, direct]) => {
      const group = this.groups.get(id);
      return group === undefined ? [] : [{ group, direct }];
    });
  }

  /** Every name under which rights may have been given to the principal, as seen now. */
  namesOf(principal: Principal): ReadonlySet<string> {
    const names = new Set([nameOf(principal)]);
    // An assumed role has its group's rights in the place of what everybody has.
    if (principal.kind !== 'role') names.add(ACCOUNT_USERS).add(SYSTEM_GROUPS.users.name);
    if (this.isWorkspaceAdmin(principal)) names.add(SYSTEM_GROUPS.admins.name);
    for (const { group } of this.groupsOf(principal.id)) names.add(group.name);
    return names;
  }

  /** What members of groups are called where groups are shown. */
  displayOf(memberId: string): string {
    return this.principal(memberId)?.displayName ?? this.groups.get(memberId)?.name ?? memberId;
  }

  #addGroup({ id, name }: SeededGroup, source: AccountGroup['source']): AccountGroup {
    const group = { id, name, source };
    this.groups.set(id, group);
    return group;
  }

  #addPerson(person: SandboxPerson, index: number): void {
    const seeded = Object.values(SEED.users).find((user) => user.userName === person.userName);
    const id = seeded?.id ?? String(7100 + index);
    this.users.set(id, {
      kind: 'user',
      id,
      userName: person.userName,
      displayName: person.displayName,
      externalId: person.sub,
      password: person.password,
      active: true,
    });
    for (const name of person.groups) {
      const group =
        this.groupByName(name) ??
        this.#addGroup({ id: String(9500 + this.groups.size), name }, 'IDENTITY_PROVIDER');
      this.memberships.write(group.id, id, true);
    }
  }
}
