import type { Migration } from '../migrate.ts';

/**
 * Grants that extend one another.
 *
 * - A grant has one successor at most: of two extensions at the same instant the second loses at the index.
 * - What was kept of roles before there were extensions gets what a catalogue that says nothing means.
 */
export const extensions: Migration = {
  number: 7,
  name: 'extensions',
  sql: `
    alter table oam.access_grant
      add chain_id uuid,
      add extends_id uuid,
      add successor_id uuid,
      add held_since timestamptz,
      drop constraint access_grant_end_reason_check;
    update oam.access_grant set
      chain_id = id,
      held_since = activated_at,
      role = jsonb_set(role, '{maxTotalMinutes}', to_jsonb(3 * (role ->> 'maxMinutes')::integer));
    alter table oam.access_grant
      alter chain_id set not null,
      add foreign key (extends_id) references oam.access_grant,
      add foreign key (successor_id) references oam.access_grant deferrable initially deferred,
      add check (end_reason in ('expired', 'returned', 'revoked', 'extended')),
      add check ((end_reason is not distinct from 'extended') = (successor_id is not null)),
      add check (state <> 'active' or held_since is not null);
    create unique index access_grant_one_successor on oam.access_grant (extends_id)
      where extends_id is not null;
    create index access_grant_chain on oam.access_grant (chain_id);

    update oam.access_request
      set role = jsonb_set(role, '{maxTotalMinutes}', to_jsonb(3 * (role ->> 'maxMinutes')::integer));
    alter table oam.access_request
      add extends_grant_id uuid references oam.access_grant,
      add held_minutes integer,
      add check ((extends_grant_id is null) = (held_minutes is null));
    create index access_request_extends on oam.access_request (extends_grant_id)
      where state in ('pending', 'awaiting_requester') and extends_grant_id is not null;
  `,
};
