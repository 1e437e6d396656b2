import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { recordAudit } from '../../../../src/control-plane/audit/record.ts';
import { inChange } from '../../../../src/control-plane/changes/change.ts';
import { noticeRestore } from '../../../../src/control-plane/reconciler/restore.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { chainAll } from '../audit/trail.ts';
import { freshStore, type TestStore } from '../database.ts';

describe('whether the store is an older one than before', function () {
  this.timeout(20_000);
  let store: TestStore;
  let folder: string;
  beforeEach(async () => {
    store = await freshStore();
    folder = await mkdtemp(path.join(tmpdir(), 'oam-anchors-'));
    await inChange(store.db, (change) => recordAudit(change, { event: 'grant.ended' }));
    await chainAll(store.db);
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const epoch = async (): Promise<string> =>
    (await store.db.selectFrom('store').select('epoch').executeTakeFirstOrThrow()).epoch;
  const present = () =>
    store.db.selectFrom('audit_chain').select(['sequence', 'hash']).executeTakeFirstOrThrow();
  const isNoticed = () =>
    noticeRestore(
      { db: store.db, debt: createAuditDebt(folder, silentLogger), logger: silentLogger },
      folder,
    );
  /** Anchors as they were kept one after the other, in files by the month. */
  const anchored = async (
    ...anchors: readonly { readonly epoch: string; readonly sequence: number; readonly hash?: string }[]
  ): Promise<void> => {
    for (const [index, anchor] of anchors.entries()) {
      const at = `2026-0${index + 1}-01T00:00:00.000Z`;
      const line = { hash: 'a'.repeat(64), at, kid: 'k', jws: 'a.b.c', ...anchor };
      await writeFile(path.join(folder, `anchors-2026-0${index + 1}.jsonl`), `${JSON.stringify(line)}\n`);
    }
  };

  it('is told by the last anchor that it signed itself', async () => {
    await anchored({ epoch: await epoch(), ...(await present()) });
    assert.equal(await isNoticed(), false);
    const { sequence } = await present();
    await anchored({ epoch: await epoch(), sequence: sequence + 1 });
    const before = await epoch();
    assert.equal(await isNoticed(), true);
    assert.notEqual(await epoch(), before);
    assert.equal(await isNoticed(), false);
  });

  it('is told also where a backup is restored for the second time, after another store signed', async () => {
    const { sequence } = await present();
    await anchored(
      { epoch: await epoch(), sequence: sequence + 1 },
      // The store that was restored before, which went on from the same backup.
      { epoch: randomUUID(), sequence: sequence + 3 },
    );
    assert.equal(await isNoticed(), true);
  });

  it('is not told by anchors that only others signed', async () => {
    await anchored({ epoch: randomUUID(), sequence: 7 }, { epoch: randomUUID(), sequence: 9 });
    assert.equal(await isNoticed(), false);
    await anchored({ epoch: await epoch(), ...(await present()) }, { epoch: randomUUID(), sequence: 9 });
    assert.equal(await isNoticed(), false);
  });
});
