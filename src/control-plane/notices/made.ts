import { randomUUID } from 'node:crypto';

import { HOUR_MS } from '../../domain/time.ts';
import { type Change, toDate } from '../changes/change.ts';
import type { Draft } from './drafts.ts';
import { makeLink } from './links.ts';
import type { NoticeSettings } from './settings.ts';

/** Whom a notice is about. */
export interface Subject {
  readonly requestId: string;
  readonly grantId: string | undefined;
}

/** Keeps a notice for each of the channels that has not been told of it yet. */
export async function makeNotices(
  change: Change,
  { giveUpHours }: Pick<NoticeSettings, 'giveUpHours'>,
  { requestId, grantId }: Subject,
  { topic, content, linkUntilMs }: Draft,
  channels: readonly string[],
): Promise<void> {
  const { trx, nowMs } = change;
  for (const channel of new Set(channels)) {
    const made = await trx
      .insertInto('notice')
      .values({
        ...{ id: randomUUID(), channel, topic, kind: content.kind },
        request_id: requestId,
        grant_id: grantId ?? null,
        content: JSON.stringify(content),
        created_at: toDate(nowMs),
        next_attempt_at: toDate(nowMs),
        give_up_at: toDate(nowMs + giveUpHours * HOUR_MS),
        ...{ settled_at: null, trouble: null, lease_holder: null, lease_until: null },
      })
      .onConflict((conflict) => conflict.columns(['channel', 'topic']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (made === undefined || linkUntilMs === undefined) continue;
    // A channel's link is its own: who opened it in one place has not opened it in the other.
    const nonce = await makeLink(change, requestId, linkUntilMs);
    await trx
      .updateTable('notice')
      .set({ content: JSON.stringify({ ...content, nonce }) })
      .where('id', '=', made.id)
      .execute();
  }
}

/**
 * The channels that were told, or may have been, of something about a subject. What was still to be sent there, and never
 * was tried, is not sent any more.
 */
export async function channelsTold(
  change: Change,
  subject: Subject,
  kinds: readonly Draft['content']['kind'][],
): Promise<string[]> {
  const ofSubject = change.trx
    .updateTable('notice')
    .set({ state: 'dropped', settled_at: toDate(change.nowMs), content: null })
    .where('request_id', '=', subject.requestId)
    .where('kind', 'in', kinds)
    .where('state', '=', 'due')
    .where('attempts', '=', 0)
    .where('lease_holder', 'is', null);
  await (
    subject.grantId === undefined ? ofSubject : ofSubject.where('grant_id', '=', subject.grantId)
  ).execute();
  const rows = await change.trx
    .selectFrom('notice')
    .select('channel')
    .distinct()
    .where('request_id', '=', subject.requestId)
    .where('kind', 'in', kinds)
    .where('state', '<>', 'dropped')
    .execute();
  return rows.map(({ channel }) => channel);
}
