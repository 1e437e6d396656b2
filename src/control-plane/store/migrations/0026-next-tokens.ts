import type { Migration } from '../migrate.ts';

/**
 * The tokens that programs were given in place of their present ones and have not used yet: whether an answer arrived is
 * known when its token comes. Until then the present one stays what it is.
 */
export const nextTokens: Migration = {
  number: 26,
  name: 'next-tokens',
  sql: `
    create table oam.runner_next_token (
      sha256 text primary key,
      runner_id uuid not null references oam.runner,
      expires_at timestamptz not null
    );
    create index runner_next_token_of_runner on oam.runner_next_token (runner_id, expires_at);
  `,
};
