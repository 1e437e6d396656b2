import { type Kysely, sql } from 'kysely';

import type { AuditDebt } from '../audit/debt.ts';
import type { LivePolicy } from '../policy/live.ts';
import type { Database } from '../store/tables.ts';

/** Counts what happens, for Prometheus. No label has a value that a client can choose. */
export interface Metrics {
  count(name: CounterName, labels: Readonly<Record<string, string>>): void;
  /** The exposition text: the counters, and what the store says now. */
  expose(db: Kysely<Database>, debt: Pick<AuditDebt, 'waiting'>, policy: LivePolicy): Promise<string>;
}

const COUNTERS = {
  oam_http_requests_total: 'Answers by operation and status.',
  oam_refusals_total: 'Refusals by code.',
  oam_notices_total: 'Notices by channel and outcome. Any that was given up is an alarm.',
  oam_callbacks_total: 'What callbacks said of purposes, by callback and verdict.',
  oam_workload_tokens_total: 'Tokens that workloads were given, by the name of their issuer.',
} as const;

type CounterName = keyof typeof COUNTERS;

const GAUGES = {
  oam_grants_live: 'Grants before their end has begun.',
  oam_grants_revoking: 'Grants whose membership has yet to be seen absent.',
  oam_grants_revoke_stuck: 'Grants whose removal has failed again and again. Anything but 0 is an alarm.',
  oam_revocation_overdue_seconds:
    'How long the oldest removal has been due. More than a few seconds is an alarm.',
  oam_personal_tokens_stuck:
    'Personal access tokens whose deletion has failed again and again. Anything but 0 is an alarm.',
  oam_effects_due: 'Writes to Databricks that have yet to be seen true.',
  oam_groups_refused: 'Groups of the catalogue that cannot be adopted.',
  oam_strangers: 'Members of adopted groups whom OAM did not add.',
  oam_group_alarms: 'Groups in which something is wrong at large. Anything but 0 is an alarm.',
  oam_break_glass_unreviewed: 'Emergency access that nobody has reviewed yet.',
  oam_break_glass_overdue:
    'Emergency access that nobody has reviewed in the time for it. Anything but 0 is an alarm.',
  oam_audit_unchained: 'Audit rows that have no place in the chain yet.',
  oam_audit_unanchored: 'Audit rows behind the last anchor, which could be cut off unseen.',
  oam_audit_sinks_in_trouble:
    'Receivers of rows or anchors that do not take them. Anything but 0 is an alarm.',
  oam_notices_due: 'Notices that have yet to be taken.',
  oam_notices_in_trouble: 'Notices that were tried and not taken, and are tried again.',
  oam_audit_debt: 'Audit rows that wait outside the trail, here. Anything but 0 is an alarm.',
  oam_policy_behind:
    'Whether the policy folder holds what cannot be used, so that an older version decides. Anything but 0 is an alarm.',
} as const;

type Gauges = Record<keyof typeof GAUGES, number>;

/** Those that the store tells. */
type StoredGauges = Omit<Gauges, 'oam_audit_debt' | 'oam_policy_behind'>;

/**
 * Creates counters at zero.
 *
 * @param reviewHours after how many hours an emergency access that nobody reviewed is overdue.
 */
export function createMetrics(reviewHours: number): Metrics {
  const counts = new Map<CounterName, Map<string, number>>();
  return {
    count(name, labels) {
      const series = counts.get(name) ?? new Map<string, number>();
      counts.set(name, series);
      const key = Object.entries(labels)
        .map(([label, value]) => `${label}="${value}"`)
        .join(',');
      series.set(key, (series.get(key) ?? 0) + 1);
    },
    async expose(db, debt, policy) {
      const lines: string[] = [];
      for (const [name, help] of entriesOf(COUNTERS)) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
        for (const [labels, value] of counts.get(name) ?? []) lines.push(`${name}{${labels}} ${value}`);
      }
      const gauges: Gauges = {
        ...(await readGauges(db, reviewHours)),
        oam_audit_debt: await debt.waiting(),
        oam_policy_behind: policy.isBehind() ? 1 : 0,
      };
      for (const [name, help] of entriesOf(GAUGES)) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${gauges[name]}`);
      }
      lines.push(
        '# HELP oam_policy_info The version of the policy that decides here. Replicas should agree on it.',
        '# TYPE oam_policy_info gauge',
        `oam_policy_info{version="${policy.current().hash}"} 1`,
      );
      return `${lines.join('\n')}\n`;
    },
  };
}

async function readGauges(db: Kysely<Database>, reviewHours: number): Promise<StoredGauges> {
  const { rows } = await sql<StoredGauges>`
    select
      open.live as oam_grants_live, open.revoking as oam_grants_revoking, open.stuck as oam_grants_revoke_stuck,
      (select coalesce(extract(epoch from oam.now() - min(created_at)), 0)::float8 from oam.effect
        where state = 'due' and kind = 'remove_member' and first_absent_at is null)
        as oam_revocation_overdue_seconds,
      (select count(*) from oam.personal_token where state = 'leaving' and attempts >= 6)
        as oam_personal_tokens_stuck,
      (select count(*) from oam.effect where state = 'due') as oam_effects_due,
      (select count(*) from oam.jit_group where adoption = 'refused') as oam_groups_refused,
      (select count(*) from oam.stranger) as oam_strangers,
      (select count(*) from oam.jit_group where alarm is not null) as oam_group_alarms,
      (select count(*) from oam.access_grant where review = 'pending') as oam_break_glass_unreviewed,
      (select count(*) from oam.access_grant where review = 'pending'
        and created_at < oam.now() - ${reviewHours} * interval '1 hour') as oam_break_glass_overdue,
      (select count(*) from oam.audit where sequence is null) as oam_audit_unchained,
      (select sequence from oam.audit_chain) - coalesce((select max(sequence) from oam.audit_anchor), 0)
        as oam_audit_unanchored,
      (select count(*) from oam.notice where state = 'due') as oam_notices_due,
      (select count(*) from oam.notice where state = 'due' and attempts > 0) as oam_notices_in_trouble,
      (select count(*) from oam.audit_delivery where attempts > 0) as oam_audit_sinks_in_trouble
    from (
      select count(*) filter (where state in ('scheduled', 'provisioning', 'active')) as live,
        count(*) filter (where state in ('revoking', 'revoke_stuck')) as revoking,
        count(*) filter (where state = 'revoke_stuck') as stuck
      from oam.access_grant where state not in ('ended', 'failed')
    ) open`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new TypeError('The store did not answer.');
  return row;
}

function entriesOf<Name extends string>(table: Readonly<Record<Name, string>>): [Name, string][] {
  return Object.entries<string>(table) as [Name, string][];
}
