/**
 * `npm run test:electron [-- version]`: the tests of this folder in VS Code's desktop build, which is downloaded.
 * Where it cannot be, the suite is skipped aloud.
 */
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { downloadAndUnzipVSCode, runTests } from '@vscode/test-electron';

import { Cleanup, cleanUpOnSignals } from '../../demo/stage/cleanup.ts';
import { buildKernelStandIn, bundleProduct } from '../../demo/stage/extensions.ts';
import { ROOT, temporaryFolder } from '../../demo/stage/folders.ts';
import { MissingPrerequisite } from '../../demo/stage/preflight.ts';
import { installPython } from '../../demo/stage/python.ts';
import { closingLine, COUNTS_FILE, readCounts, skipSuite } from '../reporting/counts.ts';
import { bundleHostSuite } from './bundle.ts';
import { FACTS_FILE, LINES_FILE, type HostFacts } from './names.ts';

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

  const folder = await temporaryFolder('electron');
  cleanup.add(() => folder.remove());
  const python = await installPython(console.log).catch((error: unknown) => {
    if (error instanceof MissingPrerequisite) return error.message;
    throw error;
  });
  await bundleProduct();
  const files = {
    lines: join(folder.path, 'lines'),
    counts: join(folder.path, 'counts.json'),
    facts: join(folder.path, 'facts.json'),
  };
  const facts: HostFacts = { noPython: typeof python === 'string' ? python : undefined };
  await writeFile(files.facts, JSON.stringify(facts));
  const project = join(folder.path, 'project');
  await cp(join(ROOT, 'demo/project'), project, { recursive: true });

  const code = await runTests({
    vscodeExecutablePath: executable,
    extensionDevelopmentPath: [ROOT, await buildKernelStandIn(folder.path)],
    extensionTestsPath: await bundleHostSuite(),
    extensionTestsEnv: {
      [LINES_FILE]: files.lines,
      [FACTS_FILE]: files.facts,
      [COUNTS_FILE]: files.counts,
      PATH: [...(typeof python === 'string' ? [] : [python.bin]), process.env['PATH'] ?? ''].join(delimiter),
    },
    launchArgs: [project, '--disable-workspace-trust', '--user-data-dir', join(folder.path, 'user')],
  }).catch(() => 1);
  if (existsSync(files.lines)) process.stdout.write(await readFile(files.lines, 'utf8'));
  const counts = await readCounts(files.counts);
  console.log(`\n${closingLine(counts ?? { passed: 0, failed: 1, skipped: [] })}`);
  return code;
}
