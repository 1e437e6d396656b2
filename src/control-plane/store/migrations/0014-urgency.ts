import type { Migration } from '../migrate.ts';

/**
 * Which removal comes first: 0 for a role of high sensitivity, 1 for medium, 2 for low. A role that cannot be read is
 * taken for the worst. Additions come last.
 */
export const urgency: Migration = {
  number: 14,
  name: 'urgency',
  sql: `
    alter table oam.access_grant add urgency smallint not null generated always as
      (case role ->> 'sensitivity' when 'low' then 2 when 'medium' then 1 else 0 end) stored;
    alter table oam.access_grant add credential text generated always as (role ->> 'credential') stored;

    alter table oam.effect add urgency smallint not null default 3;
    update oam.effect set urgency = ended.urgency
      from oam.access_grant ended
      where effect.kind = 'remove_member' and ended.id = effect.grant_id;
    drop index oam.effect_due;
    create index effect_due on oam.effect (group_id, urgency, id) where state = 'due';
  `,
};
