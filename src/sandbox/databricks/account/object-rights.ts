import type { Directory, Principal } from './directory.ts';
import { nameOf, SYSTEM_GROUPS } from './directory.ts';
import { LEVELS, type ObjectType, strength } from './levels.ts';

/** How a principal is named in an access-control list. */
export type PrincipalRef =
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'service-principal'; readonly name: string };

/** One principal's direct level on an object: there is one, and the last write wins. */
export interface AclEntry {
  readonly principal: PrincipalRef;
  readonly level: string;
}

/** The access-control lists of one workspace. */
export class ObjectRights {
  readonly #directory: Directory;
  readonly #lists = new Map<string, Map<string, AclEntry>>();

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  /** The direct entries of an object. */
  entries(type: ObjectType, id: string): AclEntry[] {
    return [...(this.#lists.get(`${type}/${id}`)?.values() ?? [])];
  }

  /** Sets the direct level of one principal, in the place of any other. */
  set(type: ObjectType, id: string, entry: AclEntry): void {
    const key = `${type}/${id}`;
    const list = this.#lists.get(key) ?? new Map<string, AclEntry>();
    list.set(`${entry.principal.kind}:${entry.principal.name}`, entry);
    this.#lists.set(key, list);
  }

  /** Replaces all direct entries. */
  replace(type: ObjectType, id: string, entries: readonly AclEntry[]): void {
    this.#lists.delete(`${type}/${id}`);
    for (const entry of entries) this.set(type, id, entry);
  }

  /** The strongest level that the principal has by itself or by a group; undefined for none. */
  level(principal: Principal, type: ObjectType, id: string): string | undefined {
    if (this.#directory.isWorkspaceAdmin(principal))
      return type === 'authorization' ? 'CAN_USE' : 'CAN_MANAGE';
    const groups = new Set<string>([
      principal.kind === 'role' ? principal.name : SYSTEM_GROUPS.users.name,
      ...this.#directory.groupsOf(principal.id).map(({ group }) => group.name),
    ]);
    const own = nameOf(principal);
    let best: string | undefined;
    for (const { principal: holder, level } of this.entries(type, id)) {
      const holds =
        holder.kind === 'group'
          ? groups.has(holder.name)
          : holder.kind === principal.kind && holder.name === own;
      if (holds && strength(type, level) > strength(type, best)) best = level;
    }
    return best;
  }

  /** True if the principal's level is at least the wanted one. */
  allows(principal: Principal, type: ObjectType, id: string, wanted: string): boolean {
    return strength(type, this.level(principal, type, id)) >= strength(type, wanted);
  }

  /** The weakest level of a type: who has it may see the object. */
  static weakest(type: ObjectType): string {
    return LEVELS[type][0];
  }
}
