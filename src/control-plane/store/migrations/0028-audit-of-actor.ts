import type { Migration } from '../migrate.ts';

/** What somebody did is looked for by who they are or by their name; without an index that reads the whole trail. */
export const auditOfActor: Migration = {
  number: 28,
  name: 'audit-of-actor',
  sql: `
    create index audit_of_subject on oam.audit ((actor->>'sub'), at desc, id desc) where actor is not null;
    create index audit_of_user_name on oam.audit ((actor->>'userName'), at desc, id desc) where actor is not null;
  `,
};
