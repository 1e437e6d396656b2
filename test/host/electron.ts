/**
 * `npm run test:electron [-- version]`: the tests of this folder in VS Code's desktop build, which is downloaded.
 * Where it cannot be, the suite is skipped aloud.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { downloadAndUnzipVSCode, runTests } from '@vscode/test-electron';

import { Cleanup, cleanUpOnSignals } from '../../demo/stage/cleanup.ts';
import { buildKernelStandIn, bundleProduct } from '../../demo/stage/extensions.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import {
  addCounts,
  closingLine,
  type Counts,
  COUNTS_FILE,
  readCounts,
  skipSuite,
} from '../reporting/counts.ts';
import { bundleHostSuite } from './bundle.ts';
import { type Company, startCompany } from './company.ts';
import { writeContextExtension } from './context-extension.ts';
import { FACTS_FILE, LINES_FILE, type WindowKind, WINDOWS } from './names.ts';
import { makeProject } from './project.ts';

const cleanup = new Cleanup();
cleanUpOnSignals(cleanup);
try {
  process.exitCode = await main(process.argv[2] ?? 'stable');
} finally {
  await cleanup.run();
}

async function main(version: string): Promise<number> {
  let executable: string;
  try {
    executable = await downloadAndUnzipVSCode({ version });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await skipSuite(
      `the tests inside the extension host of VS Code ${version}`,
      `it cannot be downloaded here (${reason})`,
    );
    console.log('\n0 passed, 0 failed, 1 skipped');
    return 0;
  }

  await bundleProduct();
  const company = await startCompany(cleanup, console.log);
  let counts: Counts = { passed: 0, failed: 0, skipped: [] };
  for (const window of WINDOWS) counts = addCounts(counts, await runWindow(window, executable, company));
  console.log(`\n${closingLine(counts)}`);
  return counts.failed === 0 ? 0 : 1;
}

/** Runs the tests of one window, with user data of its own. */
async function runWindow(window: WindowKind, executable: string, company: Company): Promise<Counts> {
  const folder = join(company.stage.folder, window);
  const user = join(folder, 'user');
  await mkdir(join(user, 'User'), { recursive: true });
  await writeFile(join(user, 'User', 'settings.json'), JSON.stringify(company.settings));
  const files = { lines: join(folder, 'lines'), counts: join(folder, 'counts.json') };
  const code = await runTests({
    vscodeExecutablePath: executable,
    extensionDevelopmentPath: [ROOT, await buildKernelStandIn(folder), await writeContextExtension(folder)],
    extensionTestsPath: await bundleHostSuite(window),
    extensionTestsEnv: {
      [LINES_FILE]: files.lines,
      [FACTS_FILE]: company.factsFile,
      [COUNTS_FILE]: files.counts,
      PATH: [...company.path, process.env['PATH'] ?? ''].join(delimiter),
    },
    launchArgs: [
      (await makeProject(folder, window)).path,
      ...(window === 'restricted' ? [] : ['--disable-workspace-trust']),
      ...['--user-data-dir', user],
    ],
  }).catch(() => 1);
  if (existsSync(files.lines)) process.stdout.write(await readFile(files.lines, 'utf8'));
  const counts = (await readCounts(files.counts)) ?? { passed: 0, failed: 0, skipped: [] };
  return code === 0 || counts.failed > 0 ? counts : addCounts(counts, { passed: 0, failed: 1, skipped: [] });
}
