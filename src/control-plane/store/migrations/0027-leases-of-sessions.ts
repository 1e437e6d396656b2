import type { Migration } from '../migrate.ts';

/** Of which of its person's sign-ins a lease is, where the program that asked for it said so. */
export const leasesOfSessions: Migration = {
  number: 27,
  name: 'leases-of-sessions',
  sql: `
    alter table oam.credential_lease add column session text;
    create index credential_lease_of_session on oam.credential_lease (iss, sub, session)
      where session is not null and state in ('issued', 'renewed');
  `,
};
