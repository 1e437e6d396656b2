import type { ColumnType, Generated } from 'kysely';

import type { LeaseState, OutlivingKind } from '../../domain/lifecycle.ts';
import type { PersonalTokenState } from '../../domain/personal-token.ts';
import type { KeyState } from '../issuer/key-states.ts';
import type { JsonColumn } from './json-columns.ts';

/** Credentials that were issued; never the credentials themselves. */
export interface CredentialLeaseTable {
  id: string;
  grant_id: string;
  iss: string;
  sub: string;
  idempotency_key: string;
  /** The sign-in that it is of, where whoever asked said so. */
  session: ColumnType<string | null, string | null | undefined, string | null>;
  state: LeaseState;
  issued_at: Date;
  expires_at: Date;
  renewals: Generated<number>;
  renewed_at: ColumnType<Date | null, Date | undefined, Date | null>;
  /** Present exactly in the state `revoked`. */
  revoked_at: ColumnType<Date | null, Date | undefined, Date | null>;
  /** Present exactly in the state `outlives`. */
  outlives_what: ColumnType<OutlivingKind | null, OutlivingKind | undefined, OutlivingKind | null>;
}

/** Personal access tokens that were made for leases, or are about to be; never their values. */
export interface PersonalTokenTable {
  id: string;
  /** The order in which they were committed to. */
  ordinal: ColumnType<number, never, never>;
  lease_id: string;
  workspace_host: string;
  state: PersonalTokenState;
  /** Databricks' id of the token. */
  databricks_id: string | null;
  created_at: Date;
  expires_at: Date;
  deleted_at: Date | null;
  first_absent_at: Date | null;
  /** Present exactly in the state `gone`. */
  gone_at: Date | null;
  attempts: Generated<number>;
  /** When it has to be looked after: one that is being made is given up then, and one that lives has come to its end. */
  next_attempt_at: Date;
}

/** When the tokens of a workspace are looked through next. */
export interface TokenSweepTable {
  workspace_host: string;
  next_look_at: Date;
}

/** The keys that OAM signs with. */
export interface SigningKeyTable {
  purpose: string;
  kid: string;
  public_jwk: JsonColumn;
  /** Null once the key is retired. */
  sealed_private: Buffer | null;
  state: KeyState;
  /** Since when the key is published. */
  created_at: Generated<Date>;
  activated_at: Date | null;
  retired_at: Date | null;
  published_until: Date | null;
}
