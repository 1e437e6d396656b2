import type { Migration } from '../migrate.ts';

/** Who left a group of late is asked at every look at it; without an index that reads all grants that ever were. */
export const recentlyAbsent: Migration = {
  number: 24,
  name: 'recently-absent',
  sql: `
    create index access_grant_recently_absent on oam.access_grant (group_id, membership_absent_at)
      where state in ('ended', 'failed');
  `,
};
