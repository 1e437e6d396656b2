import type { Migration } from '../migrate.ts';

/**
 * `oam.now()` is the product's clock. It is cut to milliseconds because that is what leaves the database: a
 * value that was read must compare equal to the one that was stored. It is declared stable so that an index
 * serves `due_at <= oam.now()`; within one statement one reading is as good as another.
 */
export const clock: Migration = {
  number: 1,
  name: 'clock',
  sql: `
    create table oam.clock (
      singleton boolean primary key default true check (singleton),
      ahead_ms bigint not null default 0
    );
    insert into oam.clock default values;

    create function oam.now() returns timestamptz
      language sql stable
      return date_trunc('milliseconds', clock_timestamp())
        + (select ahead_ms from oam.clock) * interval '1 millisecond';
  `,
};
