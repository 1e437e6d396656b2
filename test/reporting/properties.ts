import fc from 'fast-check';

/** How often each property is tried, as a multiple of what its test says: `OAM_PROPERTY_RUNS=50 npm test -- unit`. */
const TIMES = Math.max(1, Number(process.env['OAM_PROPERTY_RUNS'] ?? 1) || 1);

const DEFAULT_RUNS = 100;

/** The properties that held in this process, and the runs in which they did. */
export const held = { properties: 0, runs: 0 };

/** How often a property is tried that asks for so many runs. */
export function runs(asked: number = DEFAULT_RUNS): number {
  return Math.round(asked * TIMES);
}

fc.configureGlobal({
  numRuns: runs(),
  reporter: (details) => {
    if (details.failed) {
      throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
    }
    held.properties += 1;
    held.runs += details.numRuns;
  },
});

/** A run that is fifty times as long takes longer than a test may. */
export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    if (TIMES > 1) this.timeout(this.timeout() * TIMES);
  },
};
