import type { Migration } from '../migrate.ts';

/**
 * Workloads and their runs. A workload's token is random and stands here as its hash only: whoever reads the store
 * holds none, and ending one is deleting its row.
 */
export const workloads: Migration = {
  number: 9,
  name: 'workloads',
  sql: `
    alter table oam.principal add column workload jsonb;

    create table oam.workload_token (
      sha256 text primary key,
      iss text not null,
      sub text not null,
      issued_at timestamptz not null,
      expires_at timestamptz not null,
      foreign key (iss, sub) references oam.principal
    );
    create index workload_token_age on oam.workload_token (expires_at);

    alter table oam.access_grant add column run_grace_minutes integer check (run_grace_minutes > 0);
    comment on column oam.access_grant.run_grace_minutes is
      'the holder is a run: the window ends this long after it last proved that it lives';
  `,
};
