import type { ColumnType } from 'kysely';

import type { JsonColumn } from './json-columns.ts';

/** People as the company's directory pushes them. */
export interface DirectoryUserTable {
  id: string;
  user_name: string;
  external_id: string | null;
  active: boolean;
  attributes: JsonColumn;
  version: number;
  created_at: Date;
  modified_at: Date;
}

/** Groups as the company's directory pushes them. */
export interface DirectoryGroupTable {
  id: string;
  display_name: string;
  external_id: string | null;
  version: number;
  created_at: Date;
  modified_at: Date;
}

/** Who is in which group of the directory. */
export interface DirectoryMembershipTable {
  group_id: string;
  user_id: string;
}

/** When the directory last spoke. */
export interface DirectoryContactTable {
  singleton: ColumnType<boolean, never, never>;
  spoke_at: Date | null;
}
