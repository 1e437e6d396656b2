import type { Migration } from '../migrate.ts';

/** What became of a role is looked for by the role alone; of one that nobody asked for long, that reads the whole trail. */
export const auditOfRole: Migration = {
  number: 30,
  name: 'audit-of-role',
  sql: `
    create index audit_of_role on oam.audit (role_id, at desc, id desc) where role_id is not null;
  `,
};
