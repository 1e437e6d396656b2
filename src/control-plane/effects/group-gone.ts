import type { WorkspaceClient } from '../../databricks/index.ts';
import { OamError } from '../../domain/errors.ts';
import { inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { JitGroup } from './group-lease.ts';

/** What telling a group that is gone from one that is merely not shown needs. */
export interface GroupGoneParts extends Pick<Core, 'db' | 'debt' | 'logger'> {
  /** The Databricks account that the groups are in. */
  readonly accountId: string;
}

/**
 * Makes sure of a group that a read did not find. "Not found" alone proves nothing: it is also what another account
 * answers, and a Databricks that does not show the group. Gone is a group that OAM had adopted, where the host says that
 * it is of our account, and a search by name finds it no more either.
 *
 * @throws {OamError} `wrong_account`, `group_unseen`: nothing is known then.
 */
export async function makeSureGroupIsGone(
  parts: GroupGoneParts,
  client: WorkspaceClient,
  group: JitGroup,
): Promise<void> {
  if (group.adopted_at === null) {
    throw new OamError(
      'group_unseen',
      "Databricks does not know the role's group, and OAM never saw it there. Check the group's id in the catalogue.",
      { detail: `group ${group.group_id}` },
    );
  }
  const accountId = await client.accountId();
  if (accountId !== parts.accountId) {
    throw new OamError(
      'wrong_account',
      'The workspace does not say that it is of the account that OAM works in, so that it does not know a group means nothing. Check its host in the catalogue.',
      { detail: `${client.host}, account ${accountId ?? 'not given'}` },
    );
  }
  const found = await client.groupIdsNamed(group.name);
  if (found.includes(group.group_id)) {
    throw new OamError(
      'group_unseen',
      "Databricks lists the role's group and does not show it. Check that OAM's service principal has the role group.manager on it.",
      { detail: `group ${group.group_id}` },
    );
  }
}

/** Puts it on the record, once, that a group went behind OAM's back, and offers its role no more until it is back. */
export async function recordGroupGone(parts: GroupGoneParts, group: JitGroup): Promise<void> {
  const reason = `Databricks has no group ${group.group_id} any more. Create it anew, and correct the catalogue.`;
  await inChange(parts.db, async (change) => {
    const result = await change.trx
      .updateTable('jit_group')
      .set({ adoption: 'refused', reason, next_check_at: toDate(change.nowMs) })
      .where('group_id', '=', group.group_id)
      .where('adoption', '<>', 'refused')
      .executeTakeFirst();
    if (result.numUpdatedRows !== 1n) return;
    parts.logger.error('A group of the catalogue was deleted in Databricks.', {
      group: group.group_id,
      name: group.name,
    });
    await parts.debt.record(change, {
      event: 'group.gone',
      detail: { group: group.group_id, name: group.name },
    });
  });
}
