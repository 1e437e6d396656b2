import type { EpochMs } from '../../domain/time.ts';
import { timestamp } from '../requests/view.ts';
import type { NoticeContent } from './content.ts';
import type { LinkTo } from './words.ts';

/** What a notice is about, for a program that takes it: facts, not words. */
export interface GenericNotice {
  readonly requestId: string;
  readonly grantId: string | undefined;
  readonly createdAtMs: EpochMs;
  readonly content: NoticeContent;
}

/** The body of a generic webhook: type, time and data, as Standard Webhooks recommends. It never changes. */
export function genericMessage(
  { requestId, grantId, createdAtMs, content }: GenericNotice,
  linkTo: LinkTo,
): string {
  const { kind, nonce, waitsFor, startsAtMs, lapsesAtMs, ...rest } = content;
  return JSON.stringify({
    type: kind,
    timestamp: timestamp(createdAtMs),
    data: {
      requestId,
      ...(grantId !== undefined && { grantId }),
      ...rest,
      ...(startsAtMs !== undefined && { startsAt: timestamp(startsAtMs) }),
      ...(lapsesAtMs !== undefined && { lapsesAt: timestamp(lapsesAtMs) }),
      ...(waitsFor !== undefined && { requestHash: waitsFor.hash }),
      ...(nonce !== undefined && { link: linkTo(requestId, nonce) }),
    },
  });
}
