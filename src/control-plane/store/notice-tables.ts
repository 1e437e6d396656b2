import type { ColumnType, Generated } from 'kysely';

import type { CauseKind, NoticeKind, NoticeState } from '../notices/kinds.ts';
import type { NullableJsonColumn } from './json-columns.ts';

/** That something happened which people are told by chat or mail. */
export interface NoticeCauseTable {
  id: ColumnType<number, never, never>;
  kind: CauseKind;
  request_id: string;
  grant_id: string | null;
  at: Date;
  next_attempt_at: Date;
}

/** What is sent to one channel. */
export interface NoticeTable {
  id: string;
  /** The order in which they were made. */
  sequence: ColumnType<number, never, never>;
  channel: string;
  /** What a channel is told of once. */
  topic: string;
  kind: NoticeKind;
  request_id: string;
  grant_id: string | null;
  /** Null once it is settled. */
  content: NullableJsonColumn;
  state: ColumnType<NoticeState, NoticeState | undefined, NoticeState>;
  attempts: Generated<number>;
  created_at: Date;
  next_attempt_at: Date;
  give_up_at: Date;
  settled_at: Date | null;
  trouble: string | null;
  lease_holder: string | null;
  lease_until: Date | null;
}

/** Links that open a request in the editor, by the hashes of their nonces. */
export interface RequestLinkTable {
  nonce_hash: string;
  request_id: string;
  expires_at: Date;
}

/** Who has opened a link. */
export interface RequestLinkOpenedTable {
  nonce_hash: string;
  iss: string;
  sub: string;
  at: Date;
}
