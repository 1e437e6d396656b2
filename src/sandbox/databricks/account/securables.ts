import type { Directory, Principal } from './directory.ts';
import { nameOf } from './directory.ts';

/** Types of Unity Catalog securables that the stand-in has. A registered model's is `function`. */
export type SecurableType = 'metastore' | 'catalog' | 'schema' | 'function' | 'table';

/** A securable with the privileges that were given on it directly. */
export interface Securable {
  readonly type: SecurableType;
  readonly fullName: string;
  readonly parent: Securable | undefined;
  readonly owner: string;
  /** Privileges by the name of the principal: user name, group name or application id. */
  readonly grants: Map<string, Set<string>>;
}

/** A privilege, and the securable it comes from where that is not the one asked about. */
export interface HeldPrivilege {
  readonly principal: string;
  readonly privilege: string;
  readonly from: Securable;
}

/** Privileges that make sense on a type; a write of another is refused. */
export const PRIVILEGES: Readonly<Record<SecurableType, ReadonlySet<string>>> = {
  metastore: new Set(['CREATE_CATALOG', 'MANAGE']),
  catalog: new Set([
    'USE_CATALOG',
    'USE_SCHEMA',
    'BROWSE',
    'EXECUTE',
    'APPLY_TAG',
    'MANAGE',
    'CREATE_SCHEMA',
    'SELECT',
    'MODIFY',
  ]),
  schema: new Set([
    'USE_SCHEMA',
    'EXECUTE',
    'APPLY_TAG',
    'MANAGE',
    'CREATE_MODEL',
    'CREATE_FUNCTION',
    'SELECT',
    'MODIFY',
  ]),
  function: new Set(['EXECUTE', 'APPLY_TAG', 'MANAGE']),
  table: new Set(['SELECT', 'MODIFY', 'APPLY_TAG', 'MANAGE']),
};

/** Unity Catalog's tree and who may do what in it. It is the account's: both workspaces see the same. */
export class Securables {
  readonly #directory: Directory;
  readonly #all = new Map<string, Securable>();

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  add(type: SecurableType, fullName: string, owner: string, parent?: Securable): Securable {
    const securable: Securable = { type, fullName, owner, parent, grants: new Map() };
    this.#all.set(`${type}:${fullName}`, securable);
    return securable;
  }

  find(type: string, fullName: string): Securable | undefined {
    return this.#all.get(`${type.toLowerCase()}:${fullName}`);
  }

  ofType(type: SecurableType): Securable[] {
    return [...this.#all.values()].filter((securable) => securable.type === type);
  }

  /** All privileges on a securable: given on it, or on what it lies in. Groups are not expanded. */
  effective(securable: Securable): HeldPrivilege[] {
    const held: HeldPrivilege[] = [];
    for (let from: Securable | undefined = securable; from !== undefined; from = from.parent) {
      for (const [principal, privileges] of from.grants) {
        for (const privilege of privileges) {
          // What is given above is inherited only where it means something.
          if (from === securable || PRIVILEGES[securable.type].has(privilege)) {
            held.push({ principal, privilege, from });
          }
        }
      }
    }
    return held;
  }

  /** True if the principal owns the securable or what it lies in, is admin, or holds the privilege by any name. */
  holds(principal: Principal, securable: Securable, privilege: string): boolean {
    if (this.#owns(principal, securable)) return true;
    const names = this.#directory.namesOf(principal);
    return this.effective(securable).some(
      (held) => held.privilege === privilege && names.has(held.principal),
    );
  }

  /** True if the principal may manage rights on the securable. */
  manages(principal: Principal, securable: Securable): boolean {
    return this.holds(principal, securable, 'MANAGE');
  }

  /** True if the principal may see that the securable exists. */
  sees(principal: Principal, securable: Securable): boolean {
    if (this.#owns(principal, securable)) return true;
    const names = this.#directory.namesOf(principal);
    for (let at: Securable | undefined = securable; at !== undefined; at = at.parent) {
      for (const [holder, privileges] of at.grants) {
        if (!names.has(holder)) continue;
        if (at === securable || privileges.has('BROWSE')) return true;
        // A privilege of the asset's own kind, given above, reaches down to it.
        if ([...privileges].some((privilege) => PRIVILEGES[securable.type].has(privilege))) return true;
      }
    }
    return false;
  }

  #owns(principal: Principal, securable: Securable): boolean {
    if (this.#directory.isAdmin(principal)) return true;
    const names = new Set([
      nameOf(principal),
      ...this.#directory.groupsOf(principal.id).map(({ group }) => group.name),
    ]);
    for (let at: Securable | undefined = securable; at !== undefined; at = at.parent) {
      if (names.has(at.owner)) return true;
    }
    return false;
  }
}
