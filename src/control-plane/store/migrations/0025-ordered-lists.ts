import type { Migration } from '../migrate.ts';

/**
 * Leads read their teams' grants by their ends, a page at a time: without such an index each page sorts all that there ever
 * were. And the chainer takes rows in their order, which its index has, however few or many of them wait.
 */
export const orderedLists: Migration = {
  number: 25,
  name: 'ordered-lists',
  sql: `
    drop index oam.access_grant_team;
    create index access_grant_by_end on oam.access_grant
      (team, coalesce(ends_at, timestamptz '9999-12-31 23:59:59+00'), id);
    create index access_grant_open_by_end on oam.access_grant
      (team, coalesce(ends_at, timestamptz '9999-12-31 23:59:59+00'), id)
      where state not in ('ended', 'failed');

    drop index oam.audit_unchained;
    create index audit_unchained on oam.audit (at, id) where sequence is null;
  `,
};
