import type { DueRemoval } from './due.ts';
import type { GroupLease } from './group-lease.ts';
import type { MemberWrite } from './marks.ts';
import { letGo } from './outcome.ts';
import type { Workspaces } from './workspaces.ts';
import { writeMembers, type WriteParts, type Written } from './write.ts';

/**
 * Removes members of a group, on the hosts that their grants were given on, whatever the catalogue says now.
 *
 * @returns those that a read can decide about now, by host.
 * @throws {OamError} `lease_lost`.
 */
export async function writeRemovals(
  parts: WriteParts & { readonly workspaces: Workspaces },
  lease: GroupLease,
  removals: readonly DueRemoval[],
): Promise<Map<string, Written[]>> {
  const written = new Map<string, Written[]>();
  const idle = removals.filter(({ idleBecause }) => idleBecause !== undefined);
  for (const [because, effects] of Map.groupBy(idle, ({ idleBecause }) => idleBecause)) {
    if (because !== undefined) await letGo(parts, effects, because);
  }
  const wanted = removals.flatMap((effect): MemberWrite[] => {
    const { memberId } = effect.grant;
    return effect.idleBecause === undefined && memberId !== undefined ? [{ effect, memberId }] : [];
  });
  for (const [host, writes] of Map.groupBy(wanted, ({ effect }) => effect.grant.workspaceHost)) {
    const due = writes.filter(({ effect }) => effect.isWriteDue);
    const taken = writes.filter(({ effect }) => !effect.isWriteDue);
    written.set(host, [...taken, ...(await writeMembers(parts, lease, parts.workspaces.at(host), due))]);
  }
  return written;
}
