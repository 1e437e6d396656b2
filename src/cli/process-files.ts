import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { startMark } from '../control-plane/store/embedded/processes.ts';
import { DAY_MS } from '../domain/time.ts';
import { placeMark, shortHash } from './place-mark.ts';

/** A name for a file of this process, which tells from others whose it is; one process may have many. */
export async function processFileName(ending: string): Promise<string> {
  const mark = (await markOf(process.pid)) ?? '';
  return `${String(process.pid)}-${mark}-${placeMark()}-${randomBytes(8).toString('hex')}${ending}`;
}

/**
 * Removes from a folder what processes left that were killed. Files of processes that run are left alone; whether one of another
 * machine or container does, which shares the folder, cannot be seen, so those go when nobody has written them for a day.
 * What cannot be removed stays: nobody is kept from working by it.
 *
 * @returns the names of the others' files and our own that are still in use.
 */
export async function removeLeftFiles(folder: string, ending: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const here = placeMark();
  const used: string[] = [];
  for (const name of names) {
    if (!name.endsWith(ending)) continue;
    const [, pid, mark, place] = FILE_NAME.exec(name) ?? [];
    if (pid === undefined || mark === undefined) continue;
    const file = join(folder, name);
    const isLeft = place === here ? (await markOf(Number(pid))) !== mark : await isOld(file);
    if (isLeft) await rm(file, { force: true }).catch(() => undefined);
    else used.push(name);
  }
  return used;
}

const FILE_NAME = /^(\d+)-([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{16}\.\w+$/;

/** Of a file of another machine or container: nobody has written it for a day. */
export async function isOld(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > DAY_MS;
}

/** Tells a process from a later one of the same number. */
async function markOf(pid: number): Promise<string | undefined> {
  const mark = await startMark(pid);
  return mark && shortHash(mark);
}
