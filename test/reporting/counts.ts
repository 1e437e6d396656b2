import { readFile, writeFile } from 'node:fs/promises';

import * as z from 'zod/mini';

const Skipped = z.object({ title: z.string(), reason: z.string() });

/** What a suite came to. */
export const Counts = z.object({
  passed: z.int(),
  failed: z.int(),
  skipped: z.array(Skipped),
  /** Properties that held, and in how many runs; those of worker processes are not among them. */
  held: z.optional(z.object({ properties: z.int(), runs: z.int() })),
});
/** See {@link Counts}. */
export type Counts = z.infer<typeof Counts>;

/** The environment variable that names the file into which a suite's process writes its counts. */
export const COUNTS_FILE = 'OAM_TEST_COUNTS';

/** Leaves the counts to the process that started us. */
export const writeCounts = (file: string, counts: Counts): Promise<void> =>
  writeFile(file, JSON.stringify(counts));

/** For a suite that cannot run on this machine at all: says so by name, with the reason, and counts it as skipped. */
export async function skipSuite(title: string, reason: string): Promise<void> {
  console.log(`  SKIPPED  ${title}: ${reason}`);
  const file = process.env[COUNTS_FILE];
  const counts: Counts = { passed: 0, failed: 0, skipped: [{ title, reason }] };
  if (file !== undefined) await writeCounts(file, counts);
}

/** The counts that a suite's process left behind; undefined if it died before. */
export async function readCounts(file: string): Promise<Counts | undefined> {
  try {
    return Counts.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Two suites' counts in one. */
export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: [...a.skipped, ...b.skipped],
  };
}

/** What properties came to: `N properties held in N runs`; nothing where there were none. */
export function propertiesLine({ held }: Counts): string {
  if (held === undefined || held.properties === 0) return '';
  return `; ${String(held.properties)} properties held in ${String(held.runs)} runs`;
}

/** The closing line: `N passed, N failed[, N skipped]`. */
export function closingLine(counts: Counts): string {
  const skipped = counts.skipped.length === 0 ? '' : `, ${String(counts.skipped.length)} skipped`;
  return `${String(counts.passed)} passed, ${String(counts.failed)} failed${skipped}`;
}
