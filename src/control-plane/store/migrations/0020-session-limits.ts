import type { Migration } from '../migrate.ts';

/** When people's sessions began and were last used, where the company limits them. A session is kept as a hash. */
export const sessionLimits: Migration = {
  number: 20,
  name: 'session-limits',
  sql: `
    create table oam.person_session (
      session_hash text primary key,
      began_at timestamptz not null,
      used_at timestamptz not null
    );
    create index person_session_use on oam.person_session (used_at);
  `,
};
