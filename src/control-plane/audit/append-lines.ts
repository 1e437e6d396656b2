import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';

/**
 * Adds lines to a file that only the operator reads, and comes back when they are on the disk. What a full disk left
 * of an earlier line stays a line by itself and spoils no other.
 */
export async function appendLines(file: string, lines: readonly string[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await using handle = await open(file, 'a+', 0o600);
  const { size } = await handle.stat();
  const last = Buffer.alloc(1);
  if (size > 0) await handle.read(last, 0, 1, size - 1);
  const mend = size > 0 && last.toString() !== '\n' ? '\n' : '';
  await handle.writeFile(mend + lines.map((line) => `${line}\n`).join(''));
  await handle.sync();
}
