import { relative } from 'node:path';

import type { Runner } from 'mocha';

/** The environment variable that says how many of a suite's files are named that took the longest; none unless set. */
const SLOWEST = 'OAM_TEST_SLOWEST';

/**
 * Adds up what the tests and hooks of each file take.
 *
 * @returns the lines that name the slowest, in seconds, once the suite is over.
 */
export function watchSlowest(runner: Runner): () => string[] {
  const most = Number(process.env[SLOWEST] ?? 0);
  if (!(most > 0)) return () => [];
  const spentMs = new Map<string, number>();
  const add = ({ file, duration }: { file?: string | undefined; duration?: number | undefined }): void => {
    const name = file === undefined ? '(no file)' : relative(process.cwd(), file);
    spentMs.set(name, (spentMs.get(name) ?? 0) + (duration ?? 0));
  };
  runner.on('test end', add);
  runner.on('hook end', add);
  return () =>
    [...spentMs]
      .sort(([, a], [, b]) => b - a)
      .slice(0, most)
      .map(([file, ms]) => `  ${(ms / 1000).toFixed(1).padStart(6)} s  ${file}`);
}
