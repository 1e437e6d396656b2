import { sql } from 'kysely';

import type { Group, WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import {
  compareMembers,
  decideRemoval,
  type RemovalDecision,
  type RemovalGround,
} from '../../domain/reconciliation.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { EpochMs } from '../../domain/time.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type GroupLease, leaseGroup } from '../effects/group-lease.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import type { Workspaces } from '../effects/workspaces.ts';
import { expectationOf } from './expectation.ts';
import { mendLosses } from './losses.ts';
import type { ReconcilerSettings } from './settings.ts';
import { keepStrangers } from './strangers.ts';

/** What the reconciler needs. */
export interface ReconcilerParts extends Pick<Core, 'db' | 'debt' | 'logger' | 'wake'> {
  readonly workspaces: Workspaces;
  readonly redactor: Redactor;
  readonly settings: ReconcilerSettings;
  /** The wait before a loss is believed, in milliseconds. */
  readonly absenceConfirmMs: number;
}

/**
 * Holds every adopted group against the store, again and again: what is missing is written again, who is nobody's is
 * reported, and, where that was switched on, removed after a grace. It begins with a look at every group: whoever was here
 * before may have died with something untold.
 */
export function startReconciler(parts: ReconcilerParts, pollMs: number): Loop {
  let hasBegun = false;
  return startLoop({
    name: 'reconciler',
    pollMs,
    logger: parts.logger,
    work: async () => {
      if (!hasBegun) await lookAtAll(parts);
      hasBegun = true;
      const groupId = await nextGroup(parts);
      if (groupId === undefined) return false;
      // A group that somebody writes to just now is looked at in the next round.
      const lease = await leaseGroup(parts.db, groupId);
      if (lease === undefined) return true;
      try {
        await reconcile(parts, lease);
      } catch (error) {
        parts.logger.warn('A group could not be compared with the store; it is tried again.', {
          group: groupId,
          reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
        });
      } finally {
        await lease.release().catch(() => undefined);
      }
      return true;
    },
  });
}

async function lookAtAll({ db }: ReconcilerParts): Promise<void> {
  await db
    .updateTable('jit_group')
    .set((eb) => ({ next_look_at: eb.fn<Date>('oam.now', []) }))
    .where('next_look_at', '>', sql<Date>`(select oam.now())`)
    .execute();
}

/** Takes the group that is due the longest. Taking it moves its next turn, so that replicas share the groups. */
async function nextGroup({ db, settings }: ReconcilerParts): Promise<string | undefined> {
  const { rows } = await sql<{ group_id: string }>`
    update oam.jit_group set next_look_at = oam.now() + ${settings.everySeconds} * interval '1 second'
    where group_id = (
      select group_id from oam.jit_group
      where adoption = 'adopted' and next_look_at <= oam.now()
      order by next_look_at limit 1 for update skip locked
    )
    returning group_id`.execute(db);
  return rows[0]?.group_id;
}

async function reconcile(parts: ReconcilerParts, lease: GroupLease): Promise<void> {
  const { group_id: groupId, workspace_host: host } = lease.group;
  const client = parts.workspaces.at(host);
  // The store is read on both sides of the read of Databricks: what changed in between is judged the next time.
  const before = await inChange(parts.db, (change) => expectationOf(change, groupId));
  const group = await client.group(groupId);
  const decision = await inChange(parts.db, async (change) => {
    const after = await expectationOf(change, groupId);
    const moving = new Set([
      ...before.moving,
      ...after.moving,
      ...[...before.demanded].filter((id) => !after.demanded.has(id)),
      ...[...after.demanded].filter((id) => !before.demanded.has(id)),
    ]);
    const present = new Set(group.members.map((member) => member.value));
    const { lost, strangers } = compareMembers({ demanded: after.demanded, moving }, present);
    const ground = await groundOf(parts, change, group);
    const isFirstLoss = await mendLosses(change, after.grants, new Set(lost), {
      debt: parts.debt,
      adoptedByThisStore: ground.adoptedByThisStore,
      confirmMs: parts.absenceConfirmMs,
    });
    await lookAgainAt(change, groupId, [
      ...(isFirstLoss ? [change.nowMs + parts.absenceConfirmMs] : []),
      ...(after.settlesAtMs === undefined ? [] : [after.settlesAtMs]),
    ]);
    const kept = await keepStrangers(
      change,
      groupId,
      group.members.filter((member) => strangers.includes(member.value)),
    );
    if (!ground.adoptedByThisStore && kept.length === 0 && lost.length === 0)
      await adoptAnew(change, groupId);
    const decided = decideRemoval(kept, ground, change.nowMs);
    await keepAlarm(parts, change, groupId, decided, kept.length);
    return decided;
  });
  parts.wake();
  if (decision.kind === 'remove') await removeStrangers(parts, lease, client, decision.memberIds);
}

/** The next look comes earlier than its turn where this one could not tell. */
async function lookAgainAt(change: Change, groupId: string, timesMs: readonly EpochMs[]): Promise<void> {
  if (timesMs.length === 0) return;
  const at = toDate(Math.min(...timesMs));
  await change.trx
    .updateTable('jit_group')
    .set({ next_look_at: sql<Date>`least(next_look_at, ${at})` })
    .where('group_id', '=', groupId)
    .execute();
}

async function groundOf(parts: ReconcilerParts, change: Change, group: Group): Promise<RemovalGround> {
  const store = await change.trx
    .selectFrom('store')
    .select(['epoch', 'restored_at'])
    .executeTakeFirstOrThrow();
  const row = await change.trx
    .selectFrom('jit_group')
    .select('epoch')
    .where('group_id', '=', group.id)
    .executeTakeFirstOrThrow();
  return {
    graceMinutes: parts.settings.removeStrangersFrom.find((one) => one.group === group.id)?.graceMinutes,
    memberCount: group.members.length,
    adoptedByThisStore: row.epoch === store.epoch,
    restoredAtMs: toMs(store.restored_at),
  };
}

/** In a restored store: the group holds exactly whom the store says, so that it can answer for the group again. */
async function adoptAnew(change: Change, groupId: string): Promise<void> {
  await change.trx
    .updateTable('jit_group')
    .set((eb) => ({ epoch: eb.selectFrom('store').select('epoch') }))
    .where('group_id', '=', groupId)
    .execute();
  await recordAudit(change, { event: 'group.adopted', detail: { group: groupId, after: 'restore' } });
}

const ALARMS = {
  too_many: 'Too many members whom OAM did not add: none of them is removed. Look at the group.',
  restored: 'The database was restored: members whom it does not know are not removed. Look at the group.',
} as const;

async function keepAlarm(
  parts: ReconcilerParts,
  change: Change,
  groupId: string,
  decision: RemovalDecision,
  strangers: number,
): Promise<void> {
  const alarm = decision.kind === 'alarm' ? ALARMS[decision.reason] : null;
  const before = await change.trx
    .selectFrom('jit_group')
    .select('alarm')
    .where('group_id', '=', groupId)
    .executeTakeFirstOrThrow();
  await change.trx
    .updateTable('jit_group')
    .set((eb) => ({ alarm, looked_at: eb.fn<Date>('oam.now', []) }))
    .where('group_id', '=', groupId)
    .execute();
  if (alarm === null || alarm === before.alarm) return;
  parts.logger.error(alarm, { group: groupId, strangers });
  await recordAudit(change, { event: 'group.alarm', detail: { group: groupId, alarm, strangers } });
}

async function removeStrangers(
  parts: ReconcilerParts,
  lease: GroupLease,
  client: WorkspaceClient,
  memberIds: readonly string[],
): Promise<void> {
  const { group_id: groupId } = lease.group;
  for (const memberId of memberIds) {
    await lease.confirm();
    // Somebody may have been granted the role since the group was read.
    const wanted = await inChange(parts.db, async (change) => {
      const { demanded, moving } = await expectationOf(change, groupId);
      const isOurs = demanded.has(memberId) || moving.has(memberId);
      if (!isOurs) {
        await recordAudit(change, {
          event: 'stranger.removing',
          detail: { group: groupId, member: memberId },
        });
      }
      return isOurs;
    });
    if (wanted) continue;
    try {
      await client.removeGroupMembers(groupId, [memberId]);
    } catch (error) {
      if (!hasCode(error, 'databricks_not_found')) throw error;
    }
  }
}
