import { appendFileSync } from 'node:fs';

import Mocha from 'mocha';

import Reporter from '../reporting/reporter.ts';
import { LINES_FILE } from './names.ts';

/**
 * Runs test files inside VS Code's extension host.
 *
 * @param load Registers the tests of all files; called once mocha's words are there.
 */
export async function runInHost(load: () => Promise<void>): Promise<void> {
  const lines = process.env[LINES_FILE];
  if (lines !== undefined) {
    Reporter.print = (line) => {
      appendFileSync(lines, `${line}\n`);
    };
  }
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, reporter: Reporter, forbidOnly: true });
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, '', mocha);
  await load();
  const failures = await new Promise<number>((resolve) => {
    mocha.run(resolve);
  });
  if (failures > 0) throw new Error(`${String(failures)} tests failed.`);
}
