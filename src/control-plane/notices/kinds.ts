import type { EventKind } from '../../protocol/events.ts';

/** What happens that people are told of. */
export type CauseKind =
  | Extract<EventKind, `request.${string}`>
  | Extract<EventKind, 'grant.break_glass' | 'grant.reviewed' | 'grant.revoke_stuck'>;

/** What a notice says. */
export const NOTICE_KINDS = [
  /** A request has come to a step whose approvers have the word. */
  'request_waiting',
  /** It still waits, and lapses soon. */
  'request_lapsing',
  /** There is nothing more to do for those who were told that it waits. */
  'request_closed',
  /** Somebody took access in an emergency, and somebody else is to look at it. */
  'break_glass',
  /** Somebody has looked at it. */
  'break_glass_reviewed',
  /** Access should end and cannot be removed. */
  'revoke_stuck',
] as const;

/** One of {@link NOTICE_KINDS}. */
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** Where a notice is: still to be sent, taken by its receiver, overtaken by events, or given up. */
export type NoticeState = 'due' | 'sent' | 'dropped' | 'given_up';
