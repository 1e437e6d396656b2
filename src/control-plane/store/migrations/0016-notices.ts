import type { Migration } from '../migrate.ts';

/**
 * What is told by chat and mail. A cause is written with the change that it tells of; notices are made of it, one for
 * each channel, and sent from there. Their content goes when they are settled. A link's nonce is kept as a hash, and
 * opens its request once for each person.
 */
export const notices: Migration = {
  number: 16,
  name: 'notices',
  sql: `
    create table oam.notice_cause (
      id bigint generated always as identity primary key,
      kind text not null,
      request_id uuid not null,
      grant_id uuid,
      at timestamptz not null,
      next_attempt_at timestamptz not null
    );

    create table oam.notice (
      id uuid primary key,
      sequence bigint not null generated always as identity,
      channel text not null,
      topic text not null,
      kind text not null,
      request_id uuid not null,
      grant_id uuid,
      content jsonb,
      state text not null default 'due' check (state in ('due', 'sent', 'dropped', 'given_up')),
      attempts integer not null default 0,
      created_at timestamptz not null,
      next_attempt_at timestamptz not null,
      give_up_at timestamptz not null,
      settled_at timestamptz,
      trouble text,
      lease_holder uuid,
      lease_until timestamptz,
      unique (channel, topic),
      check ((state = 'due') = (settled_at is null)),
      check ((state = 'due') = (content is not null))
    );
    create index notice_due on oam.notice (channel, next_attempt_at) where state = 'due';
    create index notice_to_give_up on oam.notice (give_up_at) where state = 'due';
    create index notice_of_request on oam.notice (request_id);
    create index notice_settled on oam.notice (settled_at) where state <> 'due';

    create table oam.request_link (
      nonce_hash text primary key,
      request_id uuid not null,
      expires_at timestamptz not null
    );
    create index request_link_expiry on oam.request_link (expires_at);

    create table oam.request_link_opened (
      nonce_hash text not null references oam.request_link on delete cascade,
      iss text not null,
      sub text not null,
      at timestamptz not null,
      primary key (nonce_hash, iss, sub)
    );
  `,
};
