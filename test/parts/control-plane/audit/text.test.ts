import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { type AuditEntry, recordAudit } from '../../../../src/control-plane/audit/record.ts';
import { inChange } from '../../../../src/control-plane/changes/change.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { freshStore, type TestStore } from '../database.ts';

const HALF = 'half \ud800 and \0';
const CLEAN = 'half \ufffd and \ufffd';

describe('text that the store cannot hold', function () {
  this.timeout(20_000);
  let store: TestStore;
  let folder: string;
  beforeEach(async () => {
    store = await freshStore();
    folder = await mkdtemp(path.join(tmpdir(), 'oam-debt-'));
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const entry: AuditEntry = {
    event: 'grant.ended',
    actor: { iss: 'i', sub: 's', userName: HALF, displayName: HALF },
    detail: { reason: HALF, nested: [HALF] },
  };
  const rows = () => store.db.selectFrom('audit').select(['id', 'actor', 'detail']).execute();

  it('keeps no row out of the trail: what cannot be stored is replaced', async () => {
    await inChange(store.db, (change) => recordAudit(change, entry));
    await inChange(store.db, (change) => createAuditDebt(folder, silentLogger).record(change, entry));
    for (const { actor, detail } of await rows()) {
      assert.deepEqual(actor, { iss: 'i', sub: 's', userName: CLEAN, displayName: CLEAN });
      assert.deepEqual(detail, { reason: CLEAN, nested: [CLEAN] });
    }
    assert.equal((await rows()).length, 2);
    await assert.rejects(readFile(path.join(folder, 'audit-debt.jsonl')), /ENOENT/);
  });

  it('in a row that waits in a file does not hold up the rows behind it', async () => {
    const row = (id: string, detail: string): string =>
      `${JSON.stringify({
        id,
        at: '2026-01-01T00:00:00.000Z',
        event: 'grant.ended',
        actor: null,
        request_id: null,
        grant_id: null,
        role_id: null,
        detail,
      })}\n`;
    const bad = '11111111-1111-4111-8111-111111111111';
    const good = '22222222-2222-4222-8222-222222222222';
    await appendFile(
      path.join(folder, 'audit-debt.jsonl'),
      row(bad, '{"reason":"\\ud800"}') + row(good, '{"reason":"fine"}'),
    );
    await createAuditDebt(folder, silentLogger).drain(store.db);
    assert.deepEqual(
      (await rows()).map(({ id }) => id),
      [good],
    );
    assert.match(await readFile(path.join(folder, 'audit-debt.refused.jsonl'), 'utf8'), new RegExp(bad));
  });
});
