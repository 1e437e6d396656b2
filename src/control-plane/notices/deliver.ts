import { randomUUID } from 'node:crypto';

import { type Selectable, sql } from 'kysely';

import { backoffMs } from '../../domain/backoff.ts';
import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { Metrics } from '../http/metrics.ts';
import { findRequest } from '../requests/rows.ts';
import type { NoticeTable } from '../store/notice-tables.ts';
import { NoticeContent } from './content.ts';
import { waitsFor } from './drafts.ts';
import type { NoticeState } from './kinds.ts';
import { NotTaken } from './post.ts';
import type { Channel, Sending } from './send.ts';

/** What delivering needs. */
export interface DeliveryParts extends Pick<Core, 'db' | 'debt'> {
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly metrics: Pick<Metrics, 'count'>;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Fires when the control plane stops: what is under way is left to the next one. */
  readonly stopping: AbortSignal;
}

type NoticeRow = Selectable<NoticeTable>;

/** Longer than any exchange with a receiver may take; after it another replica takes over from one that stopped. */
const LEASE_MS = MINUTE_MS;

/** A receiver of notices is spared more than Databricks is: 2.5 seconds at first, ten minutes at last. */
const PATIENCE = 10;

/**
 * Sends the channel's next notice that is due. What follows another notice about the same request waits for that one; any
 * other does not. One channel never waits for another.
 *
 * @returns true where there was one and its receiver is well.
 */
export async function deliverNext(parts: DeliveryParts, channel: Channel): Promise<boolean> {
  const { db, stopping, metrics } = parts;
  if (stopping.aborted) return false;
  const holder = randomUUID();
  const row = await inChange(db, (change) => take(change, channel.name, holder));
  if (row === undefined) return false;
  try {
    const sending = await inChange(db, (change) => prepare(change, row));
    if (sending === undefined) return true;
    await channel.send({ ...sending, signal: stopping });
  } catch (error) {
    await putOff(parts, row, error);
    return false;
  }
  const isOurs = await inChange(db, async (change) => {
    if (!(await settle(change, row, 'sent'))) return false;
    await record(parts, change, row, 'notice.sent', { attempts: row.attempts + 1 });
    return true;
  });
  if (isOurs) metrics.count('oam_notices_total', { channel: channel.name, outcome: 'sent' });
  return true;
}

/** What is to be sent; undefined, and settled, where nobody should be asked any more. */
async function prepare(change: Change, row: NoticeRow): Promise<Omit<Sending, 'signal'> | undefined> {
  const content = NoticeContent.parse(row.content);
  if (await isOvertaken(change, row, content)) {
    await settle(change, row, 'dropped');
    return undefined;
  }
  return {
    ...{ id: row.id, content, nowMs: change.nowMs },
    follows: await followed(change, row),
    requestId: row.request_id,
    grantId: row.grant_id ?? undefined,
    createdAtMs: toMs(row.created_at),
  };
}

async function take(change: Change, channel: string, holder: string): Promise<NoticeRow | undefined> {
  const { nowMs, trx } = change;
  const now = toDate(nowMs);
  const next = sql<string>`(
    select due.id from oam.notice due
    where due.channel = ${channel} and due.state = 'due' and due.next_attempt_at <= ${now}
      and due.give_up_at > ${now} and (due.lease_until is null or due.lease_until <= ${now})
      and not exists (select from oam.notice earlier
        where earlier.channel = due.channel and earlier.request_id = due.request_id
          and earlier.state = 'due' and earlier.sequence < due.sequence)
    order by due.next_attempt_at, due.sequence
    limit 1 for update skip locked)`;
  return trx
    .updateTable('notice')
    .set({ lease_holder: holder, lease_until: toDate(nowMs + LEASE_MS) })
    .where('id', '=', next)
    .returningAll()
    .executeTakeFirst();
}

/** True where a request waits no more, or on other ground, so that nobody should be asked for a word on it. */
async function isOvertaken(
  change: Change,
  row: NoticeRow,
  { waitsFor: then }: NoticeContent,
): Promise<boolean> {
  if (then === undefined) return false;
  const request = await findRequest(change.trx, row.request_id);
  const now = request && waitsFor(request, change.nowMs);
  return now?.hash !== then.hash || now.stage !== then.stage;
}

/** The first notice about the same request in the same channel, which a mail is an answer to. */
async function followed({ trx }: Change, row: NoticeRow): Promise<string | undefined> {
  const first = await trx
    .selectFrom('notice')
    .select('id')
    .where('request_id', '=', row.request_id)
    .where('channel', '=', row.channel)
    .where('state', '=', 'sent')
    .where('sequence', '<', row.sequence)
    .orderBy('sequence')
    .limit(1)
    .executeTakeFirst();
  return first?.id;
}

/** Settles a notice that is still held as it was read. Its content goes: it was for its receiver. */
async function settle(
  { trx, nowMs }: Change,
  { id, lease_holder }: Pick<NoticeRow, 'id' | 'lease_holder'>,
  state: Exclude<NoticeState, 'due'>,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('notice')
    .set({ state, content: null, settled_at: toDate(nowMs), lease_holder: null, lease_until: null })
    .where('id', '=', id)
    .where('state', '=', 'due')
    .where('lease_holder', 'is not distinct from', lease_holder)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function putOff(parts: DeliveryParts, row: NoticeRow, error: unknown): Promise<void> {
  const { db, logger, redactor, random, stopping } = parts;
  const attempts = row.attempts + 1;
  const trouble = redactor.redact(troubleOf(error));
  const askedMs = error instanceof NotTaken ? error.waitMs : 0;
  const waitMs = stopping.aborted ? 0 : Math.max(PATIENCE * backoffMs(attempts, random()), askedMs);
  logger.warn('A notice was not taken; it is tried again.', {
    ...{ noticeId: row.id, channel: row.channel, attempts, reason: trouble },
  });
  await inChange(db, async ({ trx, nowMs }) => {
    await trx
      .updateTable('notice')
      .set({ attempts, trouble, next_attempt_at: toDate(nowMs + waitMs) })
      .set({ lease_holder: null, lease_until: null })
      .where('id', '=', row.id)
      .where('lease_holder', '=', row.lease_holder)
      .execute();
    if (askedMs === 0) return;
    // A receiver that asks for a pause asks it for all that comes from here.
    const asked = toDate(nowMs + askedMs);
    await trx
      .updateTable('notice')
      .set({ next_attempt_at: asked })
      .where('channel', '=', row.channel)
      .where('state', '=', 'due')
      .where('next_attempt_at', '<', asked)
      .execute();
  });
}

/** Of errors that are not ours only the kind is told: a library's words may carry what it was given. */
function troubleOf(error: unknown): string {
  if (error instanceof OamError) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const answer = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : undefined;
  return ['The mail server does not take the notice.', code, answer]
    .filter((part) => part !== undefined)
    .join(' ');
}

const GIVE_UP_BATCH = 100;

/** Gives up notices that nobody took in time, also those of channels that are no longer configured. */
export async function giveUpOverdue(parts: DeliveryParts): Promise<void> {
  const given = await inChange(parts.db, async (change) => {
    const rows = await change.trx
      .selectFrom('notice')
      .selectAll()
      .where('state', '=', 'due')
      .where('give_up_at', '<=', toDate(change.nowMs))
      .where((eb) => eb.or([eb('lease_until', 'is', null), eb('lease_until', '<=', toDate(change.nowMs))]))
      .limit(GIVE_UP_BATCH)
      .forUpdate()
      .skipLocked()
      .execute();
    for (const row of rows) {
      await settle(change, row, 'given_up');
      await record(parts, change, row, 'notice.given_up', { attempts: row.attempts, trouble: row.trouble });
    }
    return rows;
  });
  for (const { id, channel, trouble } of given) {
    parts.metrics.count('oam_notices_total', { channel, outcome: 'given_up' });
    parts.logger.error('A notice was given up: nobody took it in time.', {
      ...{ noticeId: id, channel, reason: trouble ?? 'its channel is not configured' },
    });
  }
}

/** It is told, or will not be, whether or not the trail can be written: it must not be told again for that. */
async function record(
  { debt }: DeliveryParts,
  change: Change,
  { id, channel, kind, request_id, grant_id }: NoticeRow,
  event: 'notice.sent' | 'notice.given_up',
  detail: { readonly attempts: number; readonly trouble?: string | null },
): Promise<void> {
  await debt.record(change, {
    event,
    requestId: request_id,
    grantId: grant_id ?? undefined,
    detail: { noticeId: id, channel, kind, ...detail },
  });
}

/** For how long it is remembered what a channel was told: longer than any request stays open. */
const KEEP_DAYS = 60;

/** Forgets what was told long ago. */
export async function forgetOldNotices(db: Core['db']): Promise<void> {
  await sql`delete from oam.notice where state <> 'due'
    and settled_at < oam.now() - ${KEEP_DAYS} * interval '1 day'`.execute(db);
}
