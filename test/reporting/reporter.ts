import { writeFileSync } from 'node:fs';

import type { MochaOptions, Runner } from 'mocha';
import Mocha from 'mocha';
import * as z from 'zod/mini';

import { COUNTS_FILE, type Counts } from './counts.ts';
import { held } from './properties.ts';
import { reasonFor } from './skip.ts';
import { watchSlowest } from './slowest.ts';

/** Prints what failed and what was skipped, and why, and leaves the counts to the process that started us. */
export default class Reporter extends Mocha.reporters.Base {
  /** Where the lines go; replaced where nobody sees the console. */
  static print: (line: string) => void = (line) => {
    Mocha.reporters.Base.consoleLog('%s', line);
  };

  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    const quiet = process.env['OAM_TEST_QUIET'] === '1';
    const counts: Counts = { passed: 0, failed: 0, skipped: [] };
    const say = (line: string): void => {
      Reporter.print(line);
    };

    const slowest = watchSlowest(runner);
    let runsBefore = 0;
    runner.on('pass', (test) => {
      counts.passed += 1;
      const runs = held.runs - runsBefore;
      runsBefore = held.runs;
      const took = `${String(test.duration ?? 0)} ms${runs === 0 ? '' : `, ${String(runs)} runs`}`;
      if (!quiet) say(`  ok       ${test.fullTitle()} (${took})`);
    });
    runner.on('pending', (test) => {
      const reason = reasonFor(test);
      if (reason === undefined) {
        counts.failed += 1;
        say(`  FAILED   ${test.fullTitle()}: skipped without a reason`);
      } else {
        counts.skipped.push({ title: test.fullTitle(), reason });
        say(`  SKIPPED  ${test.fullTitle()}: ${reason}`);
      }
    });
    runner.on('fail', (test, error: unknown) => {
      counts.failed += 1;
      say(`  FAILED   ${test.fullTitle()}\n${textOf(error).replace(/^/gm, '           ')}`);
    });
    runner.once('end', () => {
      for (const line of slowest()) say(line);
      const file = process.env[COUNTS_FILE];
      if (file !== undefined) writeFileSync(file, JSON.stringify({ ...counts, held }));
    });
  }
}

/** What came from a worker process has the properties of an error and is none. */
const Thrown = z.object({ message: z.string(), stack: z.optional(z.string()) });

function textOf(error: unknown): string {
  const thrown = Thrown.safeParse(error);
  return thrown.success ? (thrown.data.stack ?? thrown.data.message) : String(error);
}
