/**
 * `npm run crash -- --runs 50 --seed 7`: kills the control plane, its database or both with kill -9 in the middle of giving
 * and taking away, and prints what was lost and what was doubled. The same seed plays the same kills. The exit code is 1
 * where anything was.
 */
import { parseArgs } from 'node:util';

import { Cleanup, cleanUpOnSignals } from '../../demo/stage/cleanup.ts';
import { type Crash, playCrashes } from './crashes.ts';

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    json: { type: 'boolean', default: false },
  },
});
const [runs, seed] = [Number(flags.runs), Number(flags.seed)];
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
  console.error('--runs and --seed are whole numbers, and there is at least one run.');
  process.exit(2);
}

const cleanup = new Cleanup();
cleanUpOnSignals(cleanup);
const HEADINGS = ['run', 'killed', 'during', 'after ms', 'recovered ms', 'stray ms', 'lost', 'doubled'];
const WIDTHS = [4, 9, 12, 9, 13, 9, 5, 8];
const say = (line: string): void => {
  if (!flags.json) console.log(line);
};

say(`${String(runs)} runs, seed ${String(seed)}\n`);
say(rowOf(HEADINGS));
let ended: readonly Crash[] = [];
try {
  ended = await playCrashes(cleanup, {
    ...{ runs, seed, victims: ['server', 'database', 'both'] },
    onCrash: (crash) => {
      if (flags.json) console.log(JSON.stringify(crash));
      const { run, victim, during, afterMs, recoveredMs, strayMs, lost, doubled } = crash;
      say(rowOf([run, victim, during, afterMs, recoveredMs, strayMs, lost.length, doubled.length]));
      for (const what of lost) say(`       lost: ${what}`);
      for (const what of doubled) say(`       doubled: ${what}`);
    },
  });
} catch (error) {
  console.error(
    `seed ${String(seed)}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  process.exitCode = 1;
} finally {
  await cleanup.run();
}
const lost = ended.reduce((sum, crash) => sum + crash.lost.length, 0);
const doubled = ended.reduce((sum, crash) => sum + crash.doubled.length, 0);
say(`\n${String(ended.length)} runs: ${String(lost)} lost, ${String(doubled)} doubled`);
if (lost + doubled > 0 || ended.length < runs) process.exitCode = 1;
process.exit();

function rowOf(cells: readonly (string | number)[]): string {
  return cells.map((cell, index) => String(cell).padEnd(WIDTHS[index] ?? 0)).join('  ');
}
