import type { Clock } from '../../domain/time.ts';
import type { Directory, Principal } from './account/directory.ts';
import type { Memberships } from './account/memberships.ts';
import type { ObjectRights } from './account/object-rights.ts';
import type { Securables } from './account/securables.ts';
import type { TokenBook } from './account/tokens.ts';
import type { Place, WorkspaceKey } from './places.ts';
import type { RuleSets } from './access-control/rule-sets.ts';
import type { Federation } from './oauth/federation.ts';
import type { Secrets } from './oauth/secrets.ts';
import type { AccountAssets, WorkspaceAssets } from './seed/assets.ts';

/** Everything that the stand-in knows. */
export interface World {
  readonly clock: Clock;
  readonly memberships: Memberships;
  readonly directory: Directory;
  readonly tokens: TokenBook;
  readonly secrets: Secrets;
  readonly federation: Federation;
  readonly ruleSets: RuleSets;
  readonly securables: Securables;
  readonly accountAssets: AccountAssets;
  readonly rights: Readonly<Record<WorkspaceKey, ObjectRights>>;
  readonly assets: Readonly<Record<WorkspaceKey, WorkspaceAssets>>;
  /** Whose cloud the workspaces are in. */
  cloud: 'aws' | 'azure';
  /** Whether users are shown with the identity provider's id for them. */
  showsExternalIds: boolean;
  /** The longest life of an OAuth token, in seconds. */
  readonly tokenSeconds: number;
  /** The origin of each door; known once it listens. */
  readonly hosts: Record<Place, string>;
}

/** A workspace with whatever its routes need. */
export interface Workspace {
  readonly world: World;
  readonly key: WorkspaceKey;
  readonly id: string;
  readonly rights: ObjectRights;
  readonly assets: WorkspaceAssets;
}

/** True for the account's administrator and for who manages just that group. */
export function managesGroup(world: World, caller: Principal, groupId: string): boolean {
  return world.directory.isAdmin(caller) || world.ruleSets.hasRole(groupId, caller, 'roles/group.manager');
}
