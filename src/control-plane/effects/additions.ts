import { hasCode } from '../../domain/errors.ts';
import { isLive } from '../../domain/grant.ts';
import type { DueEffect } from './due.ts';
import type { GroupLease } from './group-lease.ts';
import { dropEffects, type MemberWrite } from './marks.ts';
import { failed } from './outcome.ts';
import { admit, type MemberLookup, memberIdOf } from './provisioning.ts';
import type { Workspaces } from './workspaces.ts';
import { writeMembers, type WriteParts, type Written } from './write.ts';

/**
 * Adds members to a group that was adopted, each after a last look.
 *
 * @returns those that a read can decide about now, by host.
 * @throws {OamError} `lease_lost`.
 */
export async function writeAdditions(
  parts: WriteParts & MemberLookup & { readonly workspaces: Workspaces },
  lease: GroupLease,
  additions: readonly DueEffect[],
): Promise<Map<string, Written[]>> {
  const written = new Map<string, Written[]>();
  await dropEffects(
    parts,
    additions.filter(({ grant }) => !isLive(grant)),
  );
  const wanted: MemberWrite[] = [];
  for (const effect of additions.filter(({ grant }) => isLive(grant))) {
    const admitted = await guarded(parts, effect, async () => {
      const grant = await admit(parts.atPresent(), effect);
      if (grant === undefined) return undefined;
      const memberId = await memberIdOf(parts, parts.workspaces.at(grant.workspaceHost), grant);
      return { effect, memberId };
    });
    if (admitted !== undefined) wanted.push(admitted);
  }
  for (const [host, writes] of Map.groupBy(wanted, ({ effect }) => effect.grant.workspaceHost)) {
    const due = writes.filter(({ effect }) => effect.isWriteDue);
    const taken = writes.filter(({ effect }) => !effect.isWriteDue);
    written.set(host, [...taken, ...(await writeMembers(parts, lease, parts.workspaces.at(host), due))]);
  }
  return written;
}

async function guarded<T>(
  parts: WriteParts,
  effect: DueEffect,
  work: () => Promise<T | undefined>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, 'lease_lost')) throw error;
    await failed(parts, [effect], error);
    return undefined;
  }
}
