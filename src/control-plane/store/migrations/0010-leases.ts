import type { Migration } from '../migrate.ts';

/** Renewals of a lease, and when its credential was seen to be gone. */
export const leases: Migration = {
  number: 10,
  name: 'leases',
  sql: `
    alter table oam.credential_lease drop constraint credential_lease_state_check;
    alter table oam.credential_lease
      add check (state in ('issued', 'renewed', 'expired', 'revoked', 'outlives')),
      add column renewals integer not null default 0 check (renewals >= 0),
      add column renewed_at timestamptz,
      add column revoked_at timestamptz;
    alter table oam.credential_lease
      add check ((renewals = 0) = (renewed_at is null)),
      add check ((state = 'revoked') = (revoked_at is not null)),
      add check (state <> 'renewed' or renewals > 0);
    drop index oam.credential_lease_grant;
    create index credential_lease_grant on oam.credential_lease (grant_id, issued_at desc, id desc);
  `,
};
