import type { Migration } from '../migrate.ts';

/** The tokens that programs had before their present ones, so that one which comes back late is known for what it is. */
export const spentTokens: Migration = {
  number: 23,
  name: 'spent-tokens',
  sql: `
    create table oam.runner_spent_token (
      sha256 text primary key,
      runner_id uuid not null references oam.runner
    );
    create index runner_spent_token_of_runner on oam.runner_spent_token (runner_id);
    insert into oam.runner_spent_token (sha256, runner_id)
      select former_sha256, id from oam.runner where former_sha256 is not null and ended_at is null;
  `,
};
