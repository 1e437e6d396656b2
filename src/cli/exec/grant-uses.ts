import { mkdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { sha256Hex } from '../../domain/canonical.ts';
import { stateFolder } from '../../identity/index.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { processFileName, removeLeftFiles } from '../process-files.ts';

/** That a program works under a grant. */
export interface GrantUse {
  /**
   * Ends it, and gives the grant back where that is due: no other program of this user works under it here, and one of them
   * had asked for it, this one or another.
   *
   * @param giveBack never throws.
   * @returns false where others go on with it.
   */
  leave(giveBack: () => Promise<void>): Promise<boolean>;
}

const USES = '.use';
const LEAVES = '.leave';
/** Lies there where a program asked for the grant, so that it is not kept for what comes after. */
const TO_RETURN = 'to-return';

const LOOK_EVERY_MS = 50;
/** Longer than giving back takes. One that stopped in the middle keeps nobody from working. */
const LOOKS = 1_800;

/** Where this user's programs tell each other what they work under. */
export function grantUses(
  env: Readonly<Record<string, string | undefined>>,
): (grant: Pick<GrantView, 'chainId'>, asked: boolean) => Promise<GrantUse> {
  return ({ chainId }, asked) => useGrant(join(stateFolder(env), 'grant-uses'), chainId, asked);
}

/**
 * Tells the other programs of this user that one works under a grant: several jobs of one role share the grant, and the first that
 * ends must not take it from the others. Where the folder cannot be written each decides for itself.
 *
 * @param folder for all grants; this user's own.
 * @param chainId of the grant: its extensions are used and given back with it.
 * @param asked whether this program asked for it.
 */
export async function useGrant(folder: string, chainId: string, asked: boolean): Promise<GrantUse> {
  // It is the control plane's word, and no name of a file.
  const place = join(folder, sha256Hex(chainId));
  try {
    await mkdir(place, { recursive: true, mode: 0o700 });
    if (asked) await writeFile(join(place, TO_RETURN), '', { mode: 0o600 });
    const using = join(place, await processFileName(USES));
    await writeFile(using, '', { mode: 0o600 });
    await untilNobodyLeaves(place);
    return { leave: (giveBack) => leave(place, using, asked, giveBack) };
  } catch {
    return { leave: (giveBack) => alone(asked, giveBack) };
  }
}

async function leave(
  place: string,
  using: string,
  asked: boolean,
  giveBack: () => Promise<void>,
): Promise<boolean> {
  const leaving = `${using.slice(0, -USES.length)}${LEAVES}`;
  try {
    // Whoever begins from here on waits for what becomes of the grant; whoever began before is seen.
    await rename(using, leaving);
  } catch {
    return alone(asked, giveBack);
  }
  try {
    if ((await removeLeftFiles(place, USES)).length > 0) return false;
    const isDue = asked || (await exists(join(place, TO_RETURN)));
    if (isDue) await giveBack();
    await rm(join(place, TO_RETURN), { force: true }).catch(() => undefined);
    return true;
  } finally {
    await rm(leaving, { force: true }).catch(() => undefined);
    // Where another began meanwhile there is something in it, and it stays.
    await rmdir(place).catch(() => undefined);
  }
}

async function alone(asked: boolean, giveBack: () => Promise<void>): Promise<boolean> {
  if (asked) await giveBack();
  return true;
}

/** What one gives back in this moment is of no use to the next. */
async function untilNobodyLeaves(place: string): Promise<void> {
  for (let look = 0; look < LOOKS && (await removeLeftFiles(place, LEAVES)).length > 0; look += 1) {
    await pause(LOOK_EVERY_MS);
  }
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
