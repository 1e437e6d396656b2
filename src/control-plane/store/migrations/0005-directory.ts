import type { Migration } from '../migrate.ts';

/**
 * People and groups as the company's directory pushes them by SCIM. `attributes` is the resource as it was taken,
 * without what the columns hold and never with a password.
 */
export const directory: Migration = {
  number: 5,
  name: 'directory',
  sql: `
    create table oam.directory_user (
      id uuid primary key,
      user_name text not null,
      external_id text,
      active boolean not null,
      attributes jsonb not null,
      version integer not null,
      created_at timestamptz not null,
      modified_at timestamptz not null
    );
    create unique index directory_user_name on oam.directory_user (lower(user_name));
    create unique index directory_user_external on oam.directory_user (external_id) where external_id is not null;

    create table oam.directory_group (
      id uuid primary key,
      display_name text not null,
      external_id text,
      version integer not null,
      created_at timestamptz not null,
      modified_at timestamptz not null
    );
    create unique index directory_group_name on oam.directory_group (lower(display_name));

    create table oam.directory_membership (
      group_id uuid not null references oam.directory_group on delete cascade,
      user_id uuid not null references oam.directory_user on delete cascade,
      primary key (group_id, user_id)
    );
    create index directory_membership_user on oam.directory_membership (user_id);

    create table oam.directory_contact (
      singleton boolean primary key default true check (singleton),
      spoke_at timestamptz
    );
    insert into oam.directory_contact default values;
  `,
};
