import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { chainAudit } from '../../../../src/control-plane/audit/chain.ts';
import { toRecord } from '../../../../src/control-plane/audit/rows.ts';
import { recordAudit } from '../../../../src/control-plane/audit/record.ts';
import { createChainVerifier } from '../../../../src/domain/audit-chain.ts';
import { inChange } from '../../../../src/control-plane/changes/change.ts';
import { freshStore, type TestStore } from '../database.ts';
import { chainAll, verifyStore } from './trail.ts';

describe('the chain of the audit trail', function () {
  this.timeout(20_000);
  let store: TestStore;
  beforeEach(async () => {
    store = await freshStore();
    for (let row = 0; row < 8; row += 1) {
      await inChange(store.db, (change) =>
        recordAudit(change, {
          event: 'request.created',
          actor: { iss: 'i', sub: 's', userName: 'ü@example.com', displayName: 'Ü' },
          roleId: 'role',
          detail: { number: row, nested: { b: [1, 0.1, null], a: 'x' } },
        }),
      );
    }
  });
  afterEach(() => store.close());

  it('holds whoever chains, and says what has yet to be chained', async () => {
    const before = await verifyStore(store.db);
    assert.deepEqual([before.chain.rows, before.chain.unchained, before.end], [0, 8, 'said']);
    await Promise.all([chainAudit(store.db), chainAudit(store.db), chainAudit(store.db)]);
    const after = await verifyStore(store.db);
    assert.deepEqual([after.chain.rows, after.chain.unchained, after.end], [8, 0, 'said']);
    assert.deepEqual(after.chain.findings, []);
  });

  it('keeps the rows of one change in the order in which they were written', async () => {
    const numbers = Array.from({ length: 30 }, (_, number) => number);
    await inChange(store.db, async (change) => {
      for (const number of numbers) {
        await recordAudit(change, { event: 'request.created', roleId: 'ordered', detail: { number } });
      }
    });
    await chainAll(store.db);
    const rows = await store.db
      .selectFrom('audit')
      .select('detail')
      .where('role_id', '=', 'ordered')
      .orderBy('sequence')
      .execute();
    assert.deepEqual(
      rows.map(({ detail }) => detail),
      numbers.map((number) => ({ number })),
    );
  });

  const TAMPERINGS: readonly (readonly [string, string])[] = [
    ['an edited detail', `update oam.audit set detail = detail || '{"number": 99}' where sequence = 3`],
    ['an edited actor', `update oam.audit set actor = '{"sub": "other"}' where sequence = 3`],
    ['an edited time', `update oam.audit set at = at + interval '1 millisecond' where sequence = 3`],
    ['a time that is none', `update oam.audit set at = 'infinity' where sequence = 3`],
    ['a member more in the actor', `update oam.audit set actor = actor || '{"x": 1}' where sequence = 3`],
    ['a row that was made to be of another grant', `update oam.audit set grant_id = id where sequence = 3`],
    ['a deleted row', `delete from oam.audit where sequence = 3`],
    ['a deleted end', `delete from oam.audit where sequence = 8`],
    [
      'two rows that changed places',
      `update oam.audit set sequence = case sequence when 3 then -3 else -4 end where sequence in (3, 4);
       update oam.audit set sequence = case sequence when -3 then 4 else 3 end where sequence in (-3, -4)`,
    ],
  ];
  for (const [what, statement] of TAMPERINGS) {
    it(`shows ${what}`, async () => {
      await chainAll(store.db);
      for (const part of statement.split(';')) await sql.raw(part).execute(store.db);
      const { chain, end } = await verifyStore(store.db);
      if (what === 'a deleted end') assert.deepEqual([chain.head.sequence, end], [7, 'differs']);
      else assert.equal(chain.findings[0]?.from, 3);
    });
  }
});

describe('a chain of 10 000 rows in the store', function () {
  this.timeout(120_000);

  it('shows and locates whatever somebody does to it with SQL', async () => {
    const store = await freshStore();
    try {
      await sql`
        insert into oam.audit (id, at, event, actor, role_id, detail)
        select gen_random_uuid(), oam.now() + n * interval '1 millisecond', 'request.created',
          jsonb_build_object('sub', n), 'role', jsonb_build_object('number', n)
        from generate_series(1, 10000) n`.execute(store.db);
      await chainAll(store.db);
      const sound = await store.db.selectFrom('audit').selectAll().orderBy('sequence').execute();
      const anchors = sound.flatMap(({ sequence, hash }) =>
        sequence !== null && hash !== null && sequence % 2_500 === 0 ? [{ sequence, hash }] : [],
      );
      const row = (): number => 1 + Math.floor(Math.random() * 9_999);
      const doings: readonly ((at: number) => string)[] = [
        (at) => `update oam.audit set detail = '{"number": 0}' where sequence = ${at}`,
        (at) => `update oam.audit set role_id = 'other' where sequence = ${at}`,
        (at) => `update oam.audit set hash = 'ff' where sequence = ${at}`,
        (at) => `delete from oam.audit where sequence = ${at}`,
        (at) => `delete from oam.audit where sequence >= ${at}`,
        (at) => `update oam.audit set sequence = null, hash = null where sequence = ${at}`,
      ];
      for (const doing of doings) {
        const at = row();
        await store.db
          .transaction()
          .execute(async (trx) => {
            await sql.raw(doing(at)).execute(trx);
            const verifier = createChainVerifier(anchors);
            for (const one of await trx.selectFrom('audit').selectAll().orderBy('sequence').execute()) {
              verifier.take(toRecord(one));
            }
            const { findings } = verifier.end();
            const found = findings.some(({ from, to }) => from <= at && at <= to);
            assert.ok(found, `${doing(at)}: ${JSON.stringify(findings)}`);
            throw new UndoneError();
          })
          .catch((error: unknown) => {
            if (!(error instanceof UndoneError)) throw error;
          });
      }
    } finally {
      await store.close();
    }
  });
});

class UndoneError extends Error {}
