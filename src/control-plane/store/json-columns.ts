import type { ColumnType } from 'kysely';

/** JSON as it is stored: read as a value that a schema has yet to vouch for, written as text. */
export type JsonColumn = ColumnType<unknown, string, string>;

/** The same where there may be none. */
export type NullableJsonColumn = ColumnType<unknown, string | null, string | null>;
