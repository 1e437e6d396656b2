import type { Migration } from '../migrate.ts';

/** Personal access tokens of roles of the kind `pat`, from before they are made until they are seen to be gone. */
export const personalTokens: Migration = {
  number: 17,
  name: 'personal-tokens',
  sql: `
    create table oam.personal_token (
      id uuid primary key,
      ordinal bigint generated always as identity,
      lease_id uuid not null references oam.credential_lease,
      workspace_host text not null,
      state text not null check (state in ('making', 'live', 'leaving', 'gone')),
      databricks_id text,
      created_at timestamptz not null,
      expires_at timestamptz not null,
      deleted_at timestamptz,
      first_absent_at timestamptz,
      gone_at timestamptz,
      attempts integer not null default 0 check (attempts >= 0),
      next_attempt_at timestamptz not null,
      check ((state = 'gone') = (gone_at is not null)),
      check (state <> 'live' or databricks_id is not null),
      check (deleted_at is null or databricks_id is not null)
    );
    create index personal_token_due on oam.personal_token (next_attempt_at) where state <> 'gone';
    create index personal_token_lease on oam.personal_token (lease_id, ordinal);

    create table oam.token_sweep (
      workspace_host text primary key,
      next_look_at timestamptz not null
    );
  `,
};
