import { TOKEN_MAX_MINUTES } from '../../domain/role.ts';
import type { Logger } from '../../domain/logger.ts';
import { hasCode } from '../../domain/errors.ts';
import { minutesToMs } from '../../domain/time.ts';
import { recordAudit } from '../audit/record.ts';
import { inChange } from '../changes/change.ts';
import type { Store } from '../store/store.ts';
import { deleteKey, retireKey } from './key-rows.ts';
import type { Seal } from './seal.ts';

/** What {@link unsealKeys} needs. */
export interface Unsealing {
  readonly store: Pick<Store, 'db'>;
  readonly seal: Seal;
  readonly logger: Logger;
  /** True where an operator says that keys which cannot be unsealed are lost for good. */
  readonly lost: boolean;
}

/**
 * Makes sure that every private key in the store can be unsealed, and seals those anew that the previous key had
 * sealed. A key that cannot be unsealed stops the start, unless it is said to be lost: then it is retired.
 *
 * @throws {OamError} `seal_broken`, `audit_unavailable`.
 */
export async function unsealKeys({ store, seal, logger, lost }: Unsealing): Promise<void> {
  const rows = await store.db
    .selectFrom('signing_key')
    .select(['kid', 'purpose', 'state', 'sealed_private'])
    .where('sealed_private', 'is not', null)
    .$narrowType<{ sealed_private: Buffer }>()
    .orderBy('kid')
    .execute();
  let resealed = 0;
  for (const row of rows) {
    try {
      const { secret, stale } = seal.open(row.sealed_private, row.kid);
      if (!stale) continue;
      await store.db
        .updateTable('signing_key')
        .set({ sealed_private: seal.close(secret, row.kid) })
        .where('kid', '=', row.kid)
        // Another replica may have sealed it anew, or retired it.
        .where('sealed_private', '=', row.sealed_private)
        .execute();
      resealed += 1;
    } catch (error) {
      if (!lost || !hasCode(error, 'seal_broken')) throw error;
      await giveUpKey(store, row);
      logger.warn('A signing key that is lost was retired.', { kid: row.kid, purpose: row.purpose });
    }
  }
  if (resealed > 0) {
    logger.info(
      'Signing keys were sealed anew. OAM_KEY_PREVIOUS can go once every replica runs with the new OAM_KEY.',
      { keys: resealed },
    );
  }
}

/** What a lost key has signed is still good; it signs no more. */
async function giveUpKey(
  store: Pick<Store, 'db'>,
  { kid, purpose, state }: { readonly kid: string; readonly purpose: string; readonly state: string },
): Promise<void> {
  await inChange(store.db, async (change) => {
    if (state === 'next') await deleteKey(change, kid);
    else await retireKey(change, kid, change.nowMs + minutesToMs(TOKEN_MAX_MINUTES));
    await recordAudit(change, { event: 'signing_key.lost', detail: { kid, purpose } });
  });
}
