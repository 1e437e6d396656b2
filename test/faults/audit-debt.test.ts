import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { createAuditDebt } from '../../src/control-plane/audit/debt.ts';
import { inChange } from '../../src/control-plane/changes/change.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import { freshStore, type TestStore } from '../parts/control-plane/database.ts';

const ROWS = 400;

describe('the debt of the audit trail, killed with kill -9 while it is taken up', function () {
  this.timeout(120_000);
  let store: TestStore;
  let folder: string;
  before(async () => {
    store = await freshStore();
    folder = await mkdtemp(path.join(tmpdir(), 'oam-debt-'));
  });
  after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('loses no row and doubles none', async () => {
    await sql`alter table oam.audit add constraint closed check (false) not valid`.execute(store.db);
    const debt = createAuditDebt(folder, silentLogger);
    for (let row = 0; row < ROWS; row += 1) {
      await inChange(store.db, (change) => debt.record(change, { event: 'group.gone', detail: { row } }));
    }
    await sql`alter table oam.audit drop constraint closed`.execute(store.db);
    let kills = 0;
    for (;;) {
      const child = spawn(
        process.execPath,
        ['test/faults/drain-debt.ts', JSON.stringify(store.connection), folder],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = '';
      child.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
      const ended = once(child, 'close');
      while (!said.includes('draining')) await delay(5);
      await delay(20 + kills * 15);
      child.kill('SIGKILL');
      await ended;
      if (said.includes('drained')) break;
      kills += 1;
    }
    assert.ok(kills >= 2, `killed ${kills} times`);
    assert.equal(await debt.waiting(), 0);
    const { rows } = await sql<{ row: number; times: number }>`
      select (detail->>'row')::int as row, count(*) as times from oam.audit where event = 'group.gone'
      group by 1 order by 1`.execute(store.db);
    assert.equal(rows.length, ROWS);
    assert.ok(rows.every(({ row, times }, index) => row === index && times === 1));
  });
});
