import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What is fetched once and kept between runs: VS Code, Chromium, Python packages. Safe to delete. */
export const TOOLS = join(ROOT, '.vscode-test');

/**
 * A folder of its own for one run, readable by nobody else and removed with everything in it. The name stays
 * short: sockets live in it, and their paths end at 107 characters.
 */
export async function temporaryFolder(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `oam-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/**
 * Makes a folder whole or not at all: `fill` works in a scratch folder beside it, which takes the final name
 * only after `fill` succeeded. Two runs at once both succeed; the second one's work is dropped.
 */
export async function fillOnce(folder: string, fill: (scratch: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return;
  const scratch = `${folder}.${String(process.pid)}.part`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  try {
    await fill(scratch);
    await rename(scratch, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
