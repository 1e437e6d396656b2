import type { Migration } from '../migrate.ts';

/**
 * What stands around the audit trail: signed anchors, how far each of those who are sent rows or anchors has come,
 * which tokens have been seen, and what was read of the trail lately.
 */
export const auditTrail: Migration = {
  number: 8,
  name: 'audit-trail',
  sql: `
    create table oam.audit_anchor (
      sequence bigint primary key,
      hash text not null,
      at timestamptz not null,
      epoch uuid not null,
      kid text not null,
      jws text not null
    );

    create table oam.audit_delivery (
      sink text primary key,
      position bigint not null default 0,
      attempts integer not null default 0,
      next_attempt_at timestamptz not null default oam.now(),
      trouble text,
      lease_holder uuid,
      lease_until timestamptz
    );
    comment on column oam.audit_delivery.position is
      'the sequence of the last row, or the last anchor, that the sink has taken';

    create table oam.session_seen (
      iss text not null,
      sub text not null,
      token_hash text not null,
      expires_at timestamptz not null,
      primary key (iss, sub, token_hash)
    );
    create index session_seen_expiry on oam.session_seen (expires_at);

    create table oam.audit_reading (
      iss text not null,
      sub text not null,
      query_hash text not null,
      recorded_at timestamptz not null,
      primary key (iss, sub, query_hash)
    );

    create index audit_of_request on oam.audit (request_id, at desc, id desc) where request_id is not null;
    create index audit_of_event on oam.audit (event collate "C", at desc, id desc);
  `,
};
