import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { OamError } from '../../../domain/errors.ts';
import { startMark } from './processes.ts';

/** The right of one process to use a data folder. */
export interface Holder {
  release(): Promise<void>;
}

const HolderFile = z.object({ pid: z.int(), started: z.string() });

const FILE_NAME = /^holder\.(\d+)$/;

/**
 * Takes a data folder for this process. The file names our pid and start, so a process that was killed holds
 * nothing. Takers number their files: whoever finds file n stale makes file n+1, which only one can, and looks
 * again; a live file with a higher number means that somebody else was first.
 *
 * @throws {OamError} `data_folder_in_use` while another process, or another store of this one, holds the folder.
 */
export async function holdFolder(folder: string): Promise<Holder> {
  const started = (await startMark(process.pid)) ?? 'unknown';
  const draft = join(folder, `holder-draft-${process.pid}-${randomBytes(6).toString('hex')}`);
  await writeFile(draft, JSON.stringify({ pid: process.pid, started }), { mode: 0o600, flag: 'wx' });
  try {
    for (;;) {
      const standing = (await holderNumbers(folder)).at(-1) ?? 0;
      if (standing > 0) await refuseIfLive(folder, standing);
      const mine = standing + 1;
      try {
        await link(draft, join(folder, `holder.${mine}`));
      } catch (error) {
        if (isCode(error, 'EEXIST')) continue;
        throw error;
      }
      const numbers = await holderNumbers(folder);
      const highest = numbers.at(-1) ?? mine;
      if (highest > mine) {
        await rm(join(folder, `holder.${mine}`), { force: true });
        continue;
      }
      for (const older of numbers.filter((number) => number < mine)) {
        await rm(join(folder, `holder.${older}`), { force: true });
      }
      return { release: () => rm(join(folder, `holder.${mine}`), { force: true }) };
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function refuseIfLive(folder: string, number: number): Promise<void> {
  let text: string;
  try {
    text = await readFile(join(folder, `holder.${number}`), 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  const holder = parseHolder(text);
  if (holder === undefined) return;
  const running = await startMark(holder.pid);
  if (running === undefined || running !== holder.started) return;
  throw new OamError(
    'data_folder_in_use',
    'Another OAM control plane runs on this data folder. Stop it first, or give this one a data folder of its own.',
    { detail: `process ${holder.pid}, ${folder}` },
  );
}

/** A file that is not ours in shape says nothing about a live process: it is written whole before it is linked. */
function parseHolder(text: string): z.infer<typeof HolderFile> | undefined {
  try {
    return HolderFile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function holderNumbers(folder: string): Promise<number[]> {
  return (await readdir(folder))
    .map((name) => Number(FILE_NAME.exec(name)?.[1] ?? 0))
    .filter((number) => number > 0)
    .sort((a, b) => a - b);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
