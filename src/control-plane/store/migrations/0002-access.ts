import type { Migration } from '../migrate.ts';

/**
 * Requests, grants, effects, credentials, events and the audit trail.
 *
 * - One open request and one live grant for each principal and role: the second click loses at the index, whatever
 *   the code before it believed.
 * - Writes to one Databricks group are serial: whoever writes holds the lease on its row.
 * - Events and audit rows carry the transaction that wrote them, because numbers are drawn before a transaction
 *   commits: a reader takes only what no running transaction can still precede.
 */
export const access: Migration = {
  number: 2,
  name: 'access',
  sql: `
    create table oam.store (
      singleton boolean primary key default true check (singleton),
      epoch uuid not null default gen_random_uuid()
    );
    insert into oam.store default values;

    create table oam.principal (
      iss text not null,
      sub text not null,
      user_name text not null,
      display_name text not null,
      groups text[],
      duty text,
      seen_at timestamptz not null,
      primary key (iss, sub)
    );
    comment on column oam.principal.groups is 'null: the list overflowed, which is not the same as empty';

    create table oam.access_request (
      id uuid primary key,
      version integer not null,
      state text not null check (state in
        ('pending', 'awaiting_requester', 'approved', 'denied', 'cancelled', 'lapsed')),
      iss text not null,
      sub text not null,
      role_id text not null,
      team text not null,
      role jsonb not null,
      role_hash text not null,
      minutes integer not null check (minutes > 0),
      approved_minutes integer check (approved_minutes between 1 and minutes),
      purpose text not null,
      ticket text,
      code_context jsonb,
      stages jsonb not null,
      approvals jsonb not null,
      approver_groups text[] not null,
      awaited_groups text[] not null,
      hash text not null,
      policy_version text not null,
      because jsonb not null,
      created_at timestamptz not null,
      lapses_at timestamptz not null,
      grant_id uuid,
      foreign key (iss, sub) references oam.principal,
      check ((state = 'approved') = (grant_id is not null))
    );
    create unique index access_request_one_open on oam.access_request (iss, sub, role_id)
      where state in ('pending', 'awaiting_requester');
    create index access_request_mine on oam.access_request (iss, sub, created_at desc, id desc);
    create index access_request_lapses on oam.access_request (lapses_at)
      where state in ('pending', 'awaiting_requester');
    create index access_request_awaited on oam.access_request using gin (awaited_groups)
      where state in ('pending', 'awaiting_requester');

    create table oam.access_grant (
      id uuid primary key,
      version integer not null,
      request_id uuid not null references oam.access_request,
      iss text not null,
      sub text not null,
      role_id text not null,
      team text not null,
      role jsonb not null,
      role_hash text not null,
      workspace_host text not null,
      group_id text not null,
      member_key text not null,
      member_id text,
      minutes integer not null check (minutes > 0),
      purpose text not null,
      state text not null check (state in
        ('scheduled', 'provisioning', 'active', 'revoking', 'revoke_stuck', 'failed', 'ended')),
      end_reason text check (end_reason in ('expired', 'returned', 'revoked')),
      given_up boolean not null,
      created_at timestamptz not null,
      deadline_at timestamptz not null,
      activated_at timestamptz,
      ends_at timestamptz,
      membership_present_at timestamptz,
      membership_absent_at timestamptz,
      outlives_until timestamptz,
      trouble text,
      foreign key (iss, sub) references oam.principal,
      check (state <> 'active' or (activated_at is not null and ends_at is not null
        and membership_present_at is not null)),
      check (state <> 'ended' or end_reason is not null)
    );
    create unique index access_grant_one_live on oam.access_grant (iss, sub, role_id)
      where state in ('scheduled', 'provisioning', 'active');
    create index access_grant_deadline on oam.access_grant (deadline_at)
      where state in ('scheduled', 'provisioning', 'active');
    create index access_grant_membership on oam.access_grant (group_id, member_key)
      where state not in ('ended', 'failed');
    create index access_grant_mine on oam.access_grant (iss, sub, created_at desc);
    create index access_grant_team on oam.access_grant (team, created_at desc);

    create table oam.jit_group (
      group_id text primary key,
      name text not null,
      workspace_host text not null,
      adoption text not null default 'unchecked' check (adoption in ('unchecked', 'adopted', 'refused')),
      reason text,
      adopted_at timestamptz,
      epoch uuid,
      next_check_at timestamptz not null default oam.now(),
      lease_holder uuid,
      lease_until timestamptz
    );

    create table oam.effect (
      id bigint generated always as identity primary key,
      grant_id uuid not null references oam.access_grant,
      kind text not null check (kind in ('add_member', 'remove_member')),
      group_id text not null references oam.jit_group,
      state text not null default 'due' check (state in ('due', 'done', 'dropped')),
      attempts integer not null default 0,
      next_attempt_at timestamptz not null,
      begun_at timestamptz,
      written_at timestamptz,
      first_absent_at timestamptz,
      created_at timestamptz not null,
      settled_at timestamptz,
      unique (grant_id, kind)
    );
    create index effect_due on oam.effect (group_id, next_attempt_at) where state = 'due';

    create table oam.credential_lease (
      id uuid primary key,
      grant_id uuid not null references oam.access_grant,
      iss text not null,
      sub text not null,
      idempotency_key text not null,
      state text not null check (state in ('issued', 'expired', 'revoked', 'outlives')),
      issued_at timestamptz not null,
      expires_at timestamptz not null,
      unique (iss, sub, idempotency_key)
    );
    create index credential_lease_grant on oam.credential_lease (grant_id);

    create table oam.idempotency (
      iss text not null,
      sub text not null,
      key text not null,
      operation text not null,
      body_hash text not null,
      answer jsonb,
      created_at timestamptz not null,
      primary key (iss, sub, key)
    );
    create index idempotency_age on oam.idempotency (created_at);

    create table oam.event (
      id bigint generated always as identity primary key,
      transaction_id xid8 not null default pg_current_xact_id(),
      kind text not null,
      at timestamptz not null,
      request_id uuid,
      grant_id uuid,
      iss text not null,
      sub text not null,
      approver_groups text[] not null,
      team text not null
    );
    create index event_order on oam.event (transaction_id, id);

    create table oam.audit (
      id uuid primary key,
      transaction_id xid8 not null default pg_current_xact_id(),
      at timestamptz not null,
      event text not null,
      actor jsonb,
      request_id uuid,
      grant_id uuid,
      role_id text,
      detail jsonb not null,
      sequence bigint unique,
      hash text
    );
    create index audit_unchained on oam.audit (transaction_id) where sequence is null;
    create index audit_newest on oam.audit (at desc, id desc);
    create index audit_of_grant on oam.audit (grant_id, at desc, id desc) where grant_id is not null;

    create table oam.audit_chain (
      singleton boolean primary key default true check (singleton),
      sequence bigint not null default 0,
      hash text not null default ''
    );
    insert into oam.audit_chain default values;
  `,
};
