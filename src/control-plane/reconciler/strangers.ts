import type { Group } from '../../databricks/index.ts';
import type { Stranger } from '../../domain/reconciliation.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';

/** Keeps who in a group is nobody's whom OAM added: reported when they come and when they go. */
export async function keepStrangers(
  change: Change,
  groupId: string,
  found: Group['members'],
): Promise<Stranger[]> {
  const known = await change.trx.selectFrom('stranger').selectAll().where('group_id', '=', groupId).execute();
  const strangers: Stranger[] = [];
  for (const member of found) {
    const before = known.find((row) => row.member_id === member.value);
    const name = member.display ?? '';
    if (before === undefined) {
      const at = toDate(change.nowMs);
      await change.trx
        .insertInto('stranger')
        .values({ group_id: groupId, member_id: member.value, name, first_seen_at: at, last_seen_at: at })
        .execute();
      await tell(change, 'appeared', groupId, member.value, name);
    } else {
      await change.trx
        .updateTable('stranger')
        .set({ last_seen_at: toDate(change.nowMs) })
        .where('group_id', '=', groupId)
        .where('member_id', '=', member.value)
        .execute();
    }
    strangers.push({
      memberId: member.value,
      firstSeenAtMs: before === undefined ? change.nowMs : toMs(before.first_seen_at),
    });
  }
  for (const row of known.filter((one) => !found.some((member) => member.value === one.member_id))) {
    await change.trx
      .deleteFrom('stranger')
      .where('group_id', '=', groupId)
      .where('member_id', '=', row.member_id)
      .execute();
    await tell(change, 'left', groupId, row.member_id, row.name);
  }
  return strangers;
}

async function tell(
  change: Change,
  kind: 'appeared' | 'left',
  groupId: string,
  memberId: string,
  name: string,
): Promise<void> {
  await recordAudit(change, {
    event: `stranger.${kind}`,
    detail: { group: groupId, member: memberId, name },
  });
}
