import type { Migration } from '../migrate.ts';

/**
 * Delegates for a time. Whether somebody may still be spoken for is decided on facts that are fresh, so the age of what
 * only tokens tell is kept apart from that of the groups, which follow the directory.
 */
export const delegations: Migration = {
  number: 18,
  name: 'delegations',
  sql: `
    alter table oam.principal add token_seen_at timestamptz;
    update oam.principal set token_seen_at = seen_at;
    alter table oam.principal alter token_seen_at set not null, alter token_seen_at set default oam.now();

    create table oam.delegation (
      id uuid primary key,
      iss text not null,
      sub text not null,
      delegate_iss text not null,
      delegate_sub text not null,
      reason text not null,
      starts_at timestamptz not null,
      ends_at timestamptz not null,
      created_at timestamptz not null,
      revoked_at timestamptz,
      revoker_iss text,
      revoker_sub text,
      foreign key (iss, sub) references oam.principal,
      foreign key (delegate_iss, delegate_sub) references oam.principal,
      check ((iss, sub) <> (delegate_iss, delegate_sub)),
      check (ends_at > starts_at),
      check (ends_at <= starts_at + interval '30 days'),
      check ((revoked_at is null) = (revoker_iss is null)),
      check ((revoked_at is null) = (revoker_sub is null))
    );
    create index delegation_of on oam.delegation (iss, sub, created_at desc, id desc);
    create index delegation_to on oam.delegation (delegate_iss, delegate_sub, created_at desc, id desc);
  `,
};
