import type { Migration } from '../migrate.ts';

/**
 * What is left of a credential after its grant's end: a token only, or a token that still carries the right. Of grants
 * that ended before this was kept, those whose membership nobody saw go still have the right as far as is known.
 */
export const outliving: Migration = {
  number: 4,
  name: 'outliving',
  sql: `
    alter table oam.access_grant add outlives_what text check (outlives_what in ('tokenOnly', 'right'));
    update oam.access_grant
      set outlives_what = case when membership_absent_at is null then 'right' else 'tokenOnly' end
      where outlives_until is not null;
    alter table oam.access_grant add check ((outlives_until is null) = (outlives_what is null));

    alter table oam.credential_lease add outlives_what text check (outlives_what in ('tokenOnly', 'right'));
    update oam.credential_lease lease
      set outlives_what = case when ended.membership_absent_at is null then 'right' else 'tokenOnly' end
      from oam.access_grant ended
      where lease.state = 'outlives' and ended.id = lease.grant_id;
    alter table oam.credential_lease add check ((state = 'outlives') = (outlives_what is not null));
  `,
};
