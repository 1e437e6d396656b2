import type { Migration } from '../migrate.ts';

/** The private half is sealed by a key that is never in the store. One key per purpose, whoever starts first. */
export const signingKey: Migration = {
  number: 3,
  name: 'signing-key',
  sql: `
    create table oam.signing_key (
      purpose text primary key,
      kid text not null unique,
      public_jwk jsonb not null,
      sealed_private bytea not null,
      created_at timestamptz not null default oam.now()
    );
  `,
};
