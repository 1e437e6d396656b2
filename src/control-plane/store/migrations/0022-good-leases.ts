import type { Migration } from '../migrate.ts';

/** Leads look for credentials that are good now, among all that ever were. */
export const goodLeases: Migration = {
  number: 22,
  name: 'good leases',
  sql: `
    create index credential_lease_good on oam.credential_lease (expires_at, id)
      where state in ('issued', 'renewed', 'outlives');
  `,
};
