import { type Kysely, sql } from 'kysely';

import { canonicalJson, type JsonObject, sha256Hex } from '../../domain/canonical.ts';
import type { Principal } from '../../domain/principal.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import type { Verdict } from '../policy/facts.ts';
import { teamsOf } from '../roles/teams.ts';
import type { Database } from '../store/tables.ts';

/** Turning pages, or looking again at the same, is one reading. */
const ONE_READING_MS = 15 * MINUTE_MS;

/**
 * Lets those read whom policy lets read the trail.
 *
 * @throws {OamError} `not_allowed`, `groups_overflowed`.
 */
export function expectAuditReader(core: Core, caller: Principal): void {
  const verdict = verdictOn(core, caller);
  if (verdict.allowed) return;
  throw new ExplainedRefusal(
    'not_allowed',
    'The access policy does not let you read the audit trail. Ask an auditor.',
    verdict.because,
  );
}

/**
 * True for those whom policy lets read the trail.
 *
 * @throws {OamError} `groups_overflowed`.
 */
export function readsAudit(core: Core, caller: Principal): boolean {
  return verdictOn(core, caller).allowed;
}

function verdictOn(core: Core, caller: Principal): Verdict {
  const teams = teamsOf(caller, core.policy.catalogue);
  return core.policy.decideAuditRead({ reader: caller, teams });
}

/**
 * Puts a look at the trail, or at a team's tokens, on the record: once for each reader and question in a quarter of an hour. The trail can be
 * read while it cannot be written; the row then waits with the others.
 */
export async function recordReading(
  core: Core,
  caller: Principal,
  query: JsonObject,
  event: 'audit.read' | 'team_tokens.read' = 'audit.read',
): Promise<void> {
  const asked = event === 'audit.read' ? query : { event, ...query };
  await inChange(core.db, async (change) => {
    if (await isNews(change, caller, asked)) {
      await core.debt.record(change, {
        event,
        actor: caller,
        detail: { query, policyVersion: core.policy.hash },
      });
    }
  });
}

/** Puts an export on the record; each is one, as each is a copy that leaves the house. */
export async function recordExport(core: Core, caller: Principal, detail: JsonObject): Promise<void> {
  await inChange(core.db, (change) =>
    core.debt.record(change, {
      event: 'audit.exported',
      actor: caller,
      detail: { ...detail, policyVersion: core.policy.hash },
    }),
  );
}

async function isNews(change: Change, caller: Principal, query: JsonObject): Promise<boolean> {
  const recorded = await change.trx
    .insertInto('audit_reading')
    .values({
      iss: caller.iss,
      sub: caller.sub,
      query_hash: sha256Hex(canonicalJson(query)),
      recorded_at: toDate(change.nowMs),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['iss', 'sub', 'query_hash'])
        .doUpdateSet({ recorded_at: toDate(change.nowMs) })
        .where('audit_reading.recorded_at', '<=', toDate(change.nowMs - ONE_READING_MS)),
    )
    .returning('query_hash')
    .executeTakeFirst();
  return recorded !== undefined;
}

/** Forgets what only kept rows from being written twice. */
export async function forgetOldReadings(db: Kysely<Database>): Promise<void> {
  await sql`
    delete from oam.audit_reading
    where recorded_at < oam.now() - ${ONE_READING_MS} * interval '1 millisecond'`.execute(db);
}
