import assert from 'node:assert/strict';

import { Kysely, PostgresDialect, sql } from 'kysely';
import type pg from 'pg';

import { searchAudit } from '../../../../src/control-plane/audit/read.ts';
import { dueRemovals } from '../../../../src/control-plane/effects/due.ts';
import { loadPolicy } from '../../../../src/control-plane/policy/publish.ts';
import { createPool } from '../../../../src/control-plane/store/store.ts';
import type { Database } from '../../../../src/control-plane/store/tables.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { HOUR_MS } from '../../../../src/domain/time.ts';
import type { AuditFilter } from '../../../../src/protocol/audit.ts';
import { freshStore, type TestStore } from '../database.ts';
import { giveGrants } from '../many-grants.ts';

const HOST = 'https://workspace.example';

const SOME_ID = '00000000-0000-4000-8000-000000000007';

/** Among so many rows whatever is looked for is a few: the planner has no choice between an index and reading all. */
const ROWS = 20_000;

describe('statements that are sent all the time, or over all that ever was', function () {
  this.timeout(60_000);
  let store: TestStore;
  let pool: pg.Pool;
  let db: Kysely<Database>;
  const sent: { readonly text: string; readonly values: unknown[] }[] = [];

  before(async () => {
    store = await freshStore();
    pool = createPool(store.connection, silentLogger);
    db = new Kysely<Database>({
      dialect: new PostgresDialect({ pool }),
      log: ({ query }) => {
        sent.push({ text: query.sql, values: [...query.parameters] });
      },
    });
  });
  after(async () => {
    await db.destroy();
    await store.close();
  });

  /** The plans of what is sent by some work, as they are made with the very values. */
  const plansOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    sent.length = 0;
    await work();
    return Promise.all(
      [...sent].map(async ({ text, values }) => {
        const { rows } = await pool.query<Record<string, string>>({ text: `explain ${text}`, values });
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      }),
    );
  };

  describe('a search of the audit trail', () => {
    before(async () => {
      await sql`
        insert into oam.audit (id, at, event, actor, request_id, grant_id, role_id, detail)
        select gen_random_uuid(), timestamptz '2027-01-01' + n * interval '1 second',
          case when n % 2000 = 0 then 'runner.ended' else 'request.created' end,
          case when n % 2 = 0 then null else jsonb_build_object(
            'iss', 'https://idp.example', 'sub', 'sub-' || n % 1000, 'userName', 'user-' || n % 1000) end,
          ('00000000-0000-4000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid,
          ('00000000-0000-4000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid,
          case when n % 2000 = 1 then 'rare-role' else 'role' end, '{}'
        from generate_series(1, ${ROWS}::integer) as n`.execute(store.db);
      await sql`analyze oam.audit`.execute(store.db);
    });

    const searches: readonly (readonly [what: string, filter: AuditFilter, indexes: readonly string[]])[] = [
      ['nothing', {}, ['audit_newest']],
      ['the subject of an actor', { actor: 'sub-7' }, ['audit_of_subject', 'audit_of_user_name']],
      ['the name of an actor', { actor: 'user-7' }, ['audit_of_subject', 'audit_of_user_name']],
      ['somebody who never did anything', { actor: 'nobody' }, ['audit_of_subject', 'audit_of_user_name']],
      ['an event', { event: 'runner.ended' }, ['audit_of_event']],
      ['a family of events', { event: 'runner.*' }, ['audit_of_event']],
      ['a grant', { grantId: SOME_ID }, ['audit_of_grant']],
      ['a request', { requestId: SOME_ID }, ['audit_of_request']],
      ['a role that is seldom asked for', { roleId: 'rare-role' }, ['audit_of_role']],
      ['a role that there never was', { roleId: 'no-role' }, ['audit_of_role']],
      ['a time', { from: '2027-01-01T00:10:00.000Z', to: '2027-01-01T00:11:00.000Z' }, ['audit_newest']],
    ];
    for (const [what, filter, indexes] of searches) {
      it(`goes by an index where it is for ${what}, on its first page and behind it`, async () => {
        for (const after of [undefined, [Date.UTC(2027, 0, 1, 3), SOME_ID] as const]) {
          const [plan = ''] = await plansOf(() => searchAudit(db, { ...filter, limit: 51 }, after));
          for (const index of indexes) assert.match(plan, new RegExp(`(?:on|using) ${index}\\b`));
          assert.doesNotMatch(plan, /Seq Scan/);
        }
      });
    }
  });

  it('finds what is due in a group, and who else demands a membership, by indexes', async () => {
    const { catalogue } = await loadPolicy('demo/policy', {
      OAM_WORKSPACE_PROD: HOST,
      OAM_WORKSPACE_DEV: 'https://dev.example',
    });
    const role = catalogue.roles.find(({ credential }) => credential === 'member');
    assert.ok(role);
    const endsAtMs = (await store.nowMs()) + HOUR_MS;
    const members = Array.from({ length: 2_000 }, (_, number) => `member-${number}`);
    const given = await giveGrants(
      store.db,
      members.map((memberId) => ({ role, host: HOST, memberId, endsAtMs })),
    );
    const ending = given.slice(0, 5);
    await sql`
      insert into oam.effect (grant_id, kind, group_id, state, next_attempt_at, created_at)
      select id, 'remove_member', group_id, 'due', oam.now(), oam.now()
      from oam.access_grant where id = any(${ending}::uuid[])`.execute(store.db);
    await sql`analyze oam.effect, oam.access_grant`.execute(store.db);
    const plans = await plansOf(() => dueRemovals(db, role.group.id));
    assert.equal(plans.length, 4);
    for (const plan of plans) assert.doesNotMatch(plan, /Seq Scan/);
    assert.match(plans[0] ?? '', /effect_due/);
    assert.match(plans[3] ?? '', /access_grant_membership/);
  });
});
