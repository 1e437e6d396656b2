/**
 * `npm test [-- suite…]`: every suite, then one closing line. What cannot be had on this machine is skipped aloud, by
 * name, with the reason, and counted as skipped.
 */
import { globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

import { ROOT, temporaryFolder } from '../demo/stage/folders.ts';
import { startProcess } from '../demo/stage/processes.ts';
import { Cleanup, cleanUpOnSignals } from '../demo/stage/cleanup.ts';
import { closingLine, COUNTS_FILE, propertiesLine, readCounts, type Counts } from './reporting/counts.ts';
import { type Say, takeTurns } from './reporting/turns.ts';

interface Suite {
  readonly name: string;
  readonly what: string;
  /** Files for mocha, or a program of the suite's own that leaves its counts in the same way. */
  readonly runs:
    | {
        /** Patterns; what the first one names is begun first. */
        readonly files: readonly string[];
        readonly timeoutMs: number;
        /** Processes that work through the files side by side; one, file after file, unless given. */
        readonly workers?: number;
      }
    | { readonly program: string };
  /** For all of it, in minutes: it ends what hangs, and is far more than a busy machine needs. */
  readonly limitMinutes: number;
  readonly quiet?: true;
  /** It waits for most of its time, for tokens to expire and packages to come, so it runs beside those that compute. */
  readonly waits?: true;
}

const SUITES: readonly Suite[] = [
  {
    name: 'unit',
    what: 'the rules, room by room',
    runs: { files: ['test/unit/**/*.test.ts'], timeoutMs: 10_000 },
    limitMinutes: 15,
    quiet: true,
  },
  {
    name: 'parts',
    what: 'each room beside the real database, identity provider and processes that it works with',
    runs: {
      files: ['test/parts/**/*.test.ts'],
      timeoutMs: 30_000,
      workers: Math.max(2, availableParallelism()),
    },
    limitMinutes: 30,
    quiet: true,
  },
  {
    name: 'faults',
    what: 'a control plane that is killed at any moment',
    runs: { files: ['test/faults/**/*.test.ts'], timeoutMs: 120_000 },
    limitMinutes: 15,
  },
  {
    name: 'host',
    what: "inside a real VS Code's extension host",
    runs: { program: 'test/host/run.ts' },
    limitMinutes: 10,
  },
  {
    name: 'e2e',
    what: 'the editor in a browser',
    runs: {
      // The tour is the longest, and waits most of its time for a window to end.
      files: ['test/e2e/demo/tour.test.ts', 'test/e2e/**/*.test.ts'],
      timeoutMs: 180_000,
      workers: 2,
    },
    limitMinutes: 40,
  },
  {
    name: 'clients',
    what: "Databricks' own Python SDK and notebook kernels",
    runs: { files: ['test/clients/**/*.test.ts'], timeoutMs: 180_000 },
    limitMinutes: 40,
    waits: true,
  },
];

const mocha = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin/mocha.js');

async function runSuite(suite: Suite, say: Say): Promise<Counts> {
  const folder = await temporaryFolder('counts');
  cleanup.add(() => folder.remove());
  const file = join(folder.path, 'counts.json');
  const running = startProcess({
    name: suite.name,
    command: process.execPath,
    arguments:
      'program' in suite.runs
        ? [suite.runs.program]
        : [
            mocha,
            ...['--reporter', join(ROOT, 'test/reporting/reporter.ts')],
            ...['--timeout', String(suite.runs.timeoutMs), '--forbid-only'],
            ...(suite.runs.workers === undefined ? [] : ['--parallel', '--jobs', String(suite.runs.workers)]),
            ...new Set(suite.runs.files.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).sort())),
          ],
    cwd: ROOT,
    env: {
      ...process.env,
      [COUNTS_FILE]: file,
      NODE_COMPILE_CACHE: compiled.path,
      ...(suite.quiet === true ? { OAM_TEST_QUIET: '1' } : {}),
    },
    onLine: say,
  });
  cleanup.add(() => running.stop(20_000));
  let outOfTime = false;
  const limit = setTimeout(() => {
    outOfTime = true;
    void running.stop(20_000);
  }, suite.limitMinutes * 60_000);
  const { code } = await running.ended;
  clearTimeout(limit);
  await running.stop(5_000);
  const counts = (await readCounts(file)) ?? { passed: 0, failed: 0, skipped: [] };
  await folder.remove();

  const fail = (why: string): Counts => {
    say(`  FAILED   the suite ${suite.name}: ${why}`);
    return { ...counts, failed: counts.failed + 1 };
  };
  if (outOfTime) return fail(`not done after ${String(suite.limitMinutes)} minutes`);
  if (counts.passed + counts.failed + counts.skipped.length === 0) return fail('it ran no test');
  if (code !== 0 && counts.failed === 0) return fail(`its process ended with exit code ${String(code)}`);
  return counts;
}

const wished = process.argv.slice(2);
const unknown = wished.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no suite ${unknown.join(', ')}. Choose from: ${SUITES.map((suite) => suite.name).join(', ')}.`,
  );
  process.exit(2);
}

const cleanup = new Cleanup();
cleanUpOnSignals(cleanup);
// Hundreds of processes start from the same sources: each is compiled once.
const compiled = await temporaryFolder('compiled');
cleanup.add(() => compiled.remove());

const total: Counts = { passed: 0, failed: 0, skipped: [] };
const turns = takeTurns((line) => {
  console.log(line);
});

async function runInOrder(suites: readonly Suite[]): Promise<void> {
  for (const suite of suites) {
    const turn = turns.ask();
    turn.say(`\n${suite.name}: ${suite.what}`);
    const started = performance.now();
    const counts = await runSuite(suite, turn.say);
    const seconds = Math.round((performance.now() - started) / 1000);
    turn.say(`${suite.name}: ${closingLine(counts)}${propertiesLine(counts)} (${String(seconds)} s)`);
    turn.end();
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped.push(...counts.skipped);
  }
}

const chosen = SUITES.filter(({ name }) => wished.length === 0 || wished.includes(name));
const computing = chosen.filter(({ waits }) => waits !== true);
const waiting = chosen.filter(({ waits }) => waits === true);
if (availableParallelism() > 1) await Promise.all([runInOrder(computing), runInOrder(waiting)]);
else await runInOrder(chosen);
await compiled.remove();

if (total.skipped.length > 0) {
  console.log('\nSkipped:');
  for (const { title, reason } of total.skipped) console.log(`  ${title}: ${reason}`);
}
console.log(`\n${closingLine(total)}`);
process.exitCode = total.failed === 0 ? 0 : 1;
