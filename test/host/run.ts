/** Runs the tests of this folder inside VS Code's extension host, in VS Code's server with its test driver. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { launchBrowser } from '../../demo/stage/browser.ts';
import { Cleanup, cleanUpOnSignals } from '../../demo/stage/cleanup.ts';
import { installVscode, type VscodeInstallation } from '../../demo/stage/codeServer.ts';
import { bundleProduct, packKernelStandIn } from '../../demo/stage/extensions.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import { MissingPrerequisite } from '../../demo/stage/preflight.ts';
import { startVscodeServer } from '../../demo/stage/vscodeServer.ts';
import {
  addCounts,
  type Counts,
  COUNTS_FILE,
  readCounts,
  skipSuite,
  writeCounts,
} from '../reporting/counts.ts';
import { bundleHostSuite } from './bundle.ts';
import { type Company, startCompany } from './company.ts';
import { packContextExtension } from './context-extension.ts';
import { packDebuggerExtension, packSilentExtension } from './other-extensions.ts';
import { noKeyring, startKeyring } from '../parts/identity/keyring.ts';
import { FACTS_FILE, LINES_FILE, type WindowKind, WINDOWS } from './names.ts';
import { makeProject } from './project.ts';

/** Under this id the extension asks it for its kernels; the real one cannot be had without a marketplace. */
const JUPYTER = { publisher: 'ms-toolsai', name: 'jupyter' };

/** Databricks' own extension, as far as others see it: it is there. */
const DATABRICKS = { publisher: 'databricks', name: 'databricks' };

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
  const installation = await installVscode(log);
  await bundleProduct();
  const company = await startCompany(cleanup, log);
  const { folder } = company.stage;
  const extensions = [
    await packKernelStandIn(folder, { as: JUPYTER }),
    await packContextExtension(folder),
    await packDebuggerExtension(folder),
    await packSilentExtension(folder, DATABRICKS),
  ];
  let counts: Counts = { passed: 0, failed: 0, skipped: [] };
  for (const window of WINDOWS) {
    counts = addCounts(counts, await runWindow(window, { installation, company, extensions }));
  }
  const file = process.env[COUNTS_FILE];
  if (file !== undefined) await writeCounts(file, counts);
  return counts.failed === 0 ? 0 : 1;
}

/** Runs the tests of one window, in a server with data of its own. */
async function runWindow(
  window: WindowKind,
  o: {
    readonly installation: VscodeInstallation;
    readonly company: Company;
    /** Packed: those that start Python kernels and debug Python, and the one that hands out its context. */
    readonly extensions: readonly string[];
  },
): Promise<Counts> {
  const reason = window === 'keychain' ? noKeyring() : undefined;
  if (reason !== undefined) {
    const title = 'the window that shares its session with oam';
    log(`  SKIPPED  ${title}: ${reason}`);
    return { passed: 0, failed: 0, skipped: [{ title, reason }] };
  }
  const folder = join(o.company.stage.folder, window);
  await mkdir(folder);
  const lines = join(folder, 'lines');
  const countsFile = join(folder, 'counts.json');
  const struck = new Cleanup();
  cleanup.add(() => struck.run());
  try {
    const keyring = window === 'keychain' ? await startKeyring() : undefined;
    if (keyring !== undefined) struck.add(() => keyring.close());
    const server = await startVscodeServer({
      installation: o.installation,
      folder,
      extensions: o.extensions,
      path: o.company.path,
      testDriver: true,
      restricted: window === 'restricted',
      settings: o.company.settings,
      ...(keyring && { machineSettings: { 'databricksMlOam.useKeychain': true } }),
      env: {
        ...(keyring && { DBUS_SESSION_BUS_ADDRESS: keyring.env['DBUS_SESSION_BUS_ADDRESS'] }),
        [LINES_FILE]: lines,
        [FACTS_FILE]: o.company.factsFile,
        [COUNTS_FILE]: countsFile,
      },
    });
    struck.add(() => server.close());
    const project = await makeProject(folder, window);
    const address = new URL(
      server.urlFor(project.path, [
        ['extensionDevelopmentPath', server.remoteUri(ROOT)],
        ['extensionTestsPath', server.remoteUri(await bundleHostSuite(window))],
        ['skipWelcome', 'true'],
      ]),
    );
    if (project.kind === 'workspace') {
      address.searchParams.delete('folder');
      address.searchParams.set('workspace', project.path);
    }

    const running = await launchBrowser(o.installation.fonts);
    struck.add(() => running.close());
    const page = await running.browser.newPage();
    const driverLines: string[] = [];
    const code = await new Promise<number | undefined>((resolve, reject) => {
      const limit = setTimeout(() => {
        resolve(undefined);
      }, TIME_LIMIT_MS);
      struck.add(() => {
        clearTimeout(limit);
      });
      void (async () => {
        await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => {
          driverLines.push(args.map(String).join(' '));
        });
        await page.exposeFunction('codeAutomationExit', resolve);
        await page.goto(address.href);
      })().catch(reject);
    });

    if (existsSync(lines)) process.stdout.write(await readFile(lines, 'utf8'));
    const counts = await readCounts(countsFile);
    if (code !== undefined && counts !== undefined) return counts;
    log(`  FAILED   VS Code did not run the tests of the ${window} window to their end. It said:`);
    log([...driverLines.slice(-30), server.process.tail()].join('\n'));
    return addCounts(counts ?? { passed: 0, failed: 0, skipped: [] }, { passed: 0, failed: 1, skipped: [] });
  } finally {
    await struck.run();
  }
}
