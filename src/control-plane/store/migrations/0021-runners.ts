import type { Migration } from '../migrate.ts';

/**
 * Programs that work under a grant on their own. Codes and tokens are random and stand here as their hashes only. The
 * former token stays good for a moment, for a renewal whose answer was lost.
 */
export const runners: Migration = {
  number: 21,
  name: 'runners',
  sql: `
    create table oam.runner (
      id uuid primary key,
      grant_id uuid not null references oam.access_grant,
      iss text not null,
      sub text not null,
      name text not null,
      created_at timestamptz not null,
      code_sha256 text not null unique,
      code_expires_at timestamptz not null,
      machine_sha256 text,
      redeemed_at timestamptz,
      token_sha256 text unique,
      token_expires_at timestamptz,
      former_sha256 text unique,
      former_expires_at timestamptz,
      renewed_at timestamptz,
      ended_at timestamptz,
      ended_by text check (ended_by in ('grant_ended', 'revoked', 'misused', 'never_started')),
      foreign key (iss, sub) references oam.principal,
      check ((redeemed_at is null) = (token_sha256 is null)),
      check ((redeemed_at is null) = (machine_sha256 is null)),
      check ((ended_at is null) = (ended_by is null))
    );
    create index runner_open on oam.runner (id) where ended_at is null;
    create index runner_of_grant on oam.runner (grant_id, created_at desc, id desc);
  `,
};
