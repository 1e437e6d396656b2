import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { AnchorLine } from '../../protocol/audit.ts';
import { recordAudit } from '../audit/record.ts';
import { inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { abandonGrant } from '../grants/close.ts';
import { lockGrant } from '../grants/rows.ts';

/**
 * Looks whether the store is an older one than the one that anchored its trail last: somebody restored a backup. From
 * then on the store has another identity, its groups were adopted by another, and nothing that it was about to give is
 * given: it may have been taken back since.
 *
 * @param folder where anchors are kept; undefined where they are not kept in a folder.
 * @returns true where a restored backup was noticed.
 */
export async function noticeRestore(
  core: Pick<Core, 'db' | 'debt' | 'logger'>,
  folder: string | undefined,
): Promise<boolean> {
  if (folder === undefined) return false;
  const { epoch } = await core.db.selectFrom('store').select('epoch').executeTakeFirstOrThrow();
  const anchor = await lastAnchorOf(epoch, folder);
  if (anchor === undefined) return false;
  const row = await core.db
    .selectFrom('audit')
    .select('hash')
    .where('sequence', '=', anchor.sequence)
    .executeTakeFirst();
  if (row?.hash === anchor.hash) return false;
  await markRestored(core, anchor);
  core.logger.error('The store is an older one than before: a backup was restored.', {
    anchored: anchor.sequence,
  });
  return true;
}

async function markRestored(core: Pick<Core, 'db' | 'debt'>, anchor: AnchorLine): Promise<void> {
  await inChange(core.db, async (change) => {
    await change.trx
      .updateTable('store')
      .set({ epoch: randomUUID(), restored_at: toDate(change.nowMs) })
      .execute();
    await recordAudit(change, {
      event: 'store.restored',
      detail: { anchoredSequence: anchor.sequence, anchoredHash: anchor.hash, formerEpoch: anchor.epoch },
    });
    const opening = await change.trx
      .selectFrom('access_grant')
      .select('id')
      .where('state', 'in', ['scheduled', 'provisioning'])
      .orderBy('id')
      .execute();
    for (const { id } of opening) {
      const grant = await lockGrant(change, id);
      if (grant === undefined) continue;
      await abandonGrant(
        change,
        core.debt,
        grant,
        'The database was restored from a backup before access was given. Ask again.',
      );
    }
  });
}

/** The store's own last one: after a restore another store signs there, and a backup may be restored a second time. */
async function lastAnchorOf(epoch: string, folder: string): Promise<AnchorLine | undefined> {
  let files: string[];
  try {
    files = (await readdir(folder)).filter((name) => /^anchors-\d{4}-\d{2}\.jsonl$/.test(name)).sort();
  } catch {
    return undefined;
  }
  for (const file of files.reverse()) {
    const lines = (await readFile(path.join(folder, file), 'utf8')).split('\n').reverse();
    for (const line of lines) {
      const anchor = AnchorLine.safeParse(parseJson(line));
      if (anchor.success && anchor.data.epoch === epoch) return anchor.data;
    }
  }
  return undefined;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
