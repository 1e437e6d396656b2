import type { ColumnType } from 'kysely';

/** A program that works under a grant on its own. */
export interface RunnerTable {
  id: string;
  grant_id: string;
  iss: string;
  sub: string;
  name: string;
  created_at: Date;
  code_sha256: string;
  code_expires_at: Date;
  machine_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  redeemed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  token_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  token_expires_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  former_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  former_expires_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  renewed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  ended_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  ended_by: ColumnType<RunnerEnd | null, RunnerEnd | null | undefined, RunnerEnd | null>;
}

/** Tokens that a runner had before its present one, as hashes. One that comes back late is in two hands. */
export interface RunnerSpentTokenTable {
  sha256: string;
  runner_id: string;
}

/** Tokens that a runner was given in place of its present one and has not used yet, as hashes. */
export interface RunnerNextTokenTable {
  sha256: string;
  runner_id: string;
  expires_at: Date;
}

type RunnerEnd = 'grant_ended' | 'revoked' | 'misused' | 'never_started';
