/** Runs the tests of this folder inside VS Code's extension host, in VS Code's server with its test driver. */
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { launchBrowser } from '../../demo/stage/browser.ts';
import { Cleanup, cleanUpOnSignals } from '../../demo/stage/cleanup.ts';
import { installVscode } from '../../demo/stage/codeServer.ts';
import { bundleProduct, packKernelStandIn } from '../../demo/stage/extensions.ts';
import { ROOT, temporaryFolder } from '../../demo/stage/folders.ts';
import { MissingPrerequisite } from '../../demo/stage/preflight.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { startVscodeServer } from '../../demo/stage/vscodeServer.ts';
import { COUNTS_FILE, skipSuite } from '../reporting/counts.ts';
import { bundleHostSuite } from './bundle.ts';
import { FACTS_FILE, LINES_FILE, type HostFacts } from './names.ts';

const TIME_LIMIT_MS = 5 * 60_000;

const log = (line: string): void => {
  console.log(line);
};

const cleanup = new Cleanup();
cleanUpOnSignals(cleanup);
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof MissingPrerequisite)) throw error;
  await skipSuite('the tests inside the extension host', error.message);
} finally {
  await cleanup.run();
}

async function main(): Promise<number> {
  const folder = await temporaryFolder('host');
  cleanup.add(() => folder.remove());
  const installation = await installVscode(log);
  const python = await pythonOrReason();
  await bundleProduct();
  const tests = await bundleHostSuite();

  const lines = join(folder.path, 'lines');
  const factsFile = join(folder.path, 'facts.json');
  const facts: HostFacts = { noPython: typeof python === 'string' ? python : undefined };
  await writeFile(factsFile, JSON.stringify(facts));
  const project = join(folder.path, 'project');
  await cp(join(ROOT, 'demo/project'), project, { recursive: true });

  const server = await startVscodeServer({
    installation,
    folder: folder.path,
    extensions: [await packKernelStandIn(folder.path)],
    path: typeof python === 'string' ? [] : [python.bin],
    testDriver: true,
    env: {
      [LINES_FILE]: lines,
      [FACTS_FILE]: factsFile,
      ...(process.env[COUNTS_FILE] === undefined ? {} : { [COUNTS_FILE]: process.env[COUNTS_FILE] }),
    },
  });
  cleanup.add(() => server.close());
  const browser = await launchBrowser(installation.fonts);
  cleanup.add(() => browser.close());

  const page = await browser.newPage();
  const driverLines: string[] = [];
  const code = await new Promise<number | undefined>((resolve, reject) => {
    const limit = setTimeout(() => {
      resolve(undefined);
    }, TIME_LIMIT_MS);
    cleanup.add(() => {
      clearTimeout(limit);
    });
    void (async () => {
      await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => {
        driverLines.push(args.map(String).join(' '));
      });
      await page.exposeFunction('codeAutomationExit', resolve);
      await page.goto(
        server.urlFor(project, [
          ['extensionDevelopmentPath', server.remoteUri(ROOT)],
          ['extensionTestsPath', server.remoteUri(tests)],
          ['skipWelcome', 'true'],
        ]),
      );
    })().catch(reject);
  });

  if (existsSync(lines)) process.stdout.write(await readFile(lines, 'utf8'));
  if (code === undefined || !existsSync(lines)) {
    console.log('  FAILED   VS Code did not run the tests to their end. It said:');
    console.log([...driverLines.slice(-30), server.process.tail()].join('\n'));
    return 1;
  }
  return code;
}

async function pythonOrReason(): Promise<PythonEnvironment | string> {
  try {
    return await installPython(log);
  } catch (error) {
    if (error instanceof MissingPrerequisite) return error.message;
    throw error;
  }
}
