import type { Invocation } from '../invocation.ts';
import type { FolderFlags } from './folder-flags.ts';
import { loadFolder } from './load.ts';

/** `oam policy check`: every check that the control plane makes before it uses a policy folder. */
export async function checkPolicy(folder: string, flags: FolderFlags, invocation: Invocation): Promise<void> {
  const { hash, catalogue } = await loadFolder(folder, flags, invocation);
  const { workspaces, teams, roles } = catalogue;
  if (flags.json) {
    invocation.answer(
      JSON.stringify({ hash, workspaces: workspaces.length, teams: teams.length, roles: roles.length }),
    );
    return;
  }
  invocation.answer(
    `The policy is good: ${count(roles.length, 'role')}, ${count(teams.length, 'team')}, ${count(workspaces.length, 'workspace')}.`,
  );
  invocation.answer(`Its version is ${hash}`);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
