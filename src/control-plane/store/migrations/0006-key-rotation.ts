import type { Migration } from '../migrate.ts';

/**
 * Several keys for a purpose: the next one, which is published and does not sign yet, the one that signs, and retired
 * ones, which are published until the last token that they can have signed has expired. A retired key's private half
 * is gone.
 */
export const keyRotation: Migration = {
  number: 6,
  name: 'key-rotation',
  sql: `
    alter table oam.signing_key drop constraint signing_key_pkey;
    alter table oam.signing_key drop constraint signing_key_kid_key;
    alter table oam.signing_key add primary key (kid);
    alter table oam.signing_key alter column sealed_private drop not null;
    alter table oam.signing_key
      add column state text not null default 'current' check (state in ('next', 'current', 'retired')),
      add column activated_at timestamptz,
      add column retired_at timestamptz,
      add column published_until timestamptz;
    alter table oam.signing_key alter column state drop default;
    update oam.signing_key set activated_at = created_at;
    alter table oam.signing_key
      add check (state <> 'current' or activated_at is not null),
      add check ((state = 'retired') = (retired_at is not null)),
      add check ((state = 'retired') = (published_until is not null)),
      add check ((state = 'retired') = (sealed_private is null));
    create unique index signing_key_one_next on oam.signing_key (purpose) where state = 'next';
    create unique index signing_key_one_current on oam.signing_key (purpose) where state = 'current';
  `,
};
