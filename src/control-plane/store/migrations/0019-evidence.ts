import type { Migration } from '../migrate.ts';

/** What callbacks said of a request's ticket and purpose. */
export const evidence: Migration = {
  number: 19,
  name: 'evidence',
  sql: `
    alter table oam.access_request add evidence jsonb not null default '[]'
      check (jsonb_typeof(evidence) = 'array');
  `,
};
