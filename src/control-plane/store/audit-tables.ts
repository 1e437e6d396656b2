import type { ColumnType, Generated } from 'kysely';

import type { JsonColumn, NullableJsonColumn } from './json-columns.ts';

/** The audit trail. */
export interface AuditTable {
  id: string;
  transaction_id: ColumnType<string, never, never>;
  at: Date;
  event: string;
  actor: NullableJsonColumn;
  request_id: string | null;
  grant_id: string | null;
  role_id: string | null;
  detail: JsonColumn;
  /** Null until the chainer has been there. */
  sequence: number | null;
  hash: string | null;
}

/** The head of the audit trail's chain. */
export interface AuditChainTable {
  singleton: ColumnType<boolean, never, never>;
  sequence: Generated<number>;
  hash: Generated<string>;
}

/** Signed words on where the chain was. */
export interface AuditAnchorTable {
  sequence: number;
  hash: string;
  at: Date;
  epoch: string;
  kid: string;
  jws: string;
}

/** How far each of those who are sent rows or anchors has come, and who sends at the moment. */
export interface AuditDeliveryTable {
  sink: string;
  position: Generated<number>;
  attempts: Generated<number>;
  next_attempt_at: Generated<Date>;
  trouble: string | null;
  lease_holder: string | null;
  lease_until: Date | null;
}

/** When a reading of the trail was last recorded, by who reads and what is asked for. */
export interface AuditReadingTable {
  iss: string;
  sub: string;
  query_hash: string;
  recorded_at: Date;
}
