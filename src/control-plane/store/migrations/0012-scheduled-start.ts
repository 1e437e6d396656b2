import type { Migration } from '../migrate.ts';

/**
 * Access that begins later. One that lies ahead stands in the way of none that is asked for now, so the guards against a
 * second click are two: at present, and for one and the same start.
 */
export const scheduledStart: Migration = {
  number: 12,
  name: 'scheduled-start',
  sql: `
    alter table oam.access_request add starts_at timestamptz;
    drop index oam.access_request_one_open;
    create unique index access_request_one_open on oam.access_request (iss, sub, role_id)
      where state in ('pending', 'awaiting_requester') and starts_at is null;
    create unique index access_request_one_start on oam.access_request (iss, sub, role_id, starts_at)
      where state in ('pending', 'awaiting_requester') and starts_at is not null;

    alter table oam.access_grant add starts_at timestamptz;
    drop index oam.access_grant_one_live;
    create unique index access_grant_one_live on oam.access_grant (iss, sub, role_id)
      where state in ('scheduled', 'provisioning', 'active') and starts_at is null;
    create unique index access_grant_one_start on oam.access_grant (iss, sub, role_id, starts_at)
      where state in ('scheduled', 'provisioning', 'active') and starts_at is not null;
  `,
};
