import type { ColumnType } from 'kysely';

/** The one row that moves the store's time; zero except in tests. */
export interface ClockTable {
  singleton: ColumnType<boolean, never, never>;
  ahead_ms: number;
}

/** The tables of the schema `oam`. */
export interface Database {
  clock: ClockTable;
}
