import type { Role, Team, Workspace } from '../../domain/role.ts';

/** What can be asked for, where, and by which teams. */
export interface Catalogue {
  readonly workspaces: readonly Workspace[];
  readonly teams: readonly Team[];
  readonly roles: readonly Role[];
}
