import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { chainAudit } from '../../../../src/control-plane/audit/chain.ts';
import { recordAudit } from '../../../../src/control-plane/audit/record.ts';
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
