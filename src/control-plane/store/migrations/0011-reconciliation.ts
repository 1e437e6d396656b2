import type { Migration } from '../migrate.ts';

/** Members of adopted groups whom OAM did not add, when groups were last looked at, and restored backups. */
export const reconciliation: Migration = {
  number: 11,
  name: 'reconciliation',
  sql: `
    alter table oam.store add column restored_at timestamptz;

    alter table oam.jit_group
      add column looked_at timestamptz,
      add column next_look_at timestamptz not null default oam.now(),
      add column alarm text;
    comment on column oam.jit_group.alarm is 'why strangers are not removed although that is due';

    create table oam.stranger (
      group_id text not null references oam.jit_group,
      member_id text not null,
      name text not null,
      first_seen_at timestamptz not null,
      last_seen_at timestamptz not null,
      primary key (group_id, member_id)
    );

    alter table oam.effect add column first_lost_at timestamptz;
    comment on column oam.effect.first_lost_at is 'an active grant''s member was not there when the group was looked at';
  `,
};
