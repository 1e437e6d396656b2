import type { Migration } from '../migrate.ts';

/** The sign-ins that are over, for as long as somebody could still ask in their names: they get nothing more. */
export const endedSignIns: Migration = {
  number: 29,
  name: 'ended-sign-ins',
  sql: `
    create table oam.ended_sign_in (
      iss text not null,
      sub text not null,
      session text not null,
      ended_at timestamptz not null,
      primary key (iss, sub, session)
    );
    create index ended_sign_in_age on oam.ended_sign_in (ended_at);
  `,
};
