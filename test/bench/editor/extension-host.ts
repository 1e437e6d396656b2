import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { build } from 'esbuild';
import type { Page } from 'playwright-core';

import { launchBrowser } from '../../../demo/stage/browser.ts';
import type { Cleanup } from '../../../demo/stage/cleanup.ts';
import { installVscode } from '../../../demo/stage/codeServer.ts';
import { bundleProduct } from '../../../demo/stage/extensions.ts';
import { ROOT, temporaryFolder } from '../../../demo/stage/folders.ts';
import { startVscodeServer } from '../../../demo/stage/vscodeServer.ts';
import { RESULT_FILE } from './names.ts';

/** Longer than any measurement takes on a busy machine, in milliseconds. */
const TIME_LIMIT_MS = 120_000;

/**
 * A real VS Code whose extension host runs a program of the bench once for each page that is opened: each is a start of
 * its own.
 *
 * @param program Path from the checkout's root; it exports `run`.
 */
export async function extensionHosts(
  cleanup: Cleanup,
  program: string,
): Promise<(whilePageIsOpen?: (page: Page) => Promise<void>) => Promise<string>> {
  const installation = await installVscode(() => undefined);
  await bundleProduct();
  const folder = await cleanup.start(
    () => temporaryFolder('bench'),
    (made) => made.remove(),
  );
  const project = join(folder.path, 'project');
  await mkdir(project);
  const result = join(folder.path, 'result');
  const suite = join(ROOT, 'dist', 'bench', 'suite.cjs');
  await build({
    entryPoints: [join(ROOT, program)],
    outfile: suite,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    logLevel: 'warning',
  });
  const server = await cleanup.start(
    () =>
      startVscodeServer({
        installation,
        folder: folder.path,
        extensions: [],
        testDriver: true,
        settings: { 'databricksMlOam.controlPlaneUrl': 'https://oam.example.com' },
        env: { [RESULT_FILE]: result },
      }),
    (running) => running.close(),
  );
  const { browser } = await cleanup.start(
    () => launchBrowser(installation.fonts),
    (launched) => launched.close(),
  );
  const url = server.urlFor(project, [
    ['extensionDevelopmentPath', server.remoteUri(ROOT)],
    ['extensionTestsPath', server.remoteUri(suite)],
    ['skipWelcome', 'true'],
  ]);

  return async (whilePageIsOpen = () => Promise.resolve()) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(TIME_LIMIT_MS);
      const said: string[] = [];
      await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => {
        said.push(args.map(String).join(' '));
      });
      const over = Promise.withResolvers<unknown>();
      const limit = setTimeout(() => over.reject(new Error('took too long')), TIME_LIMIT_MS);
      over.promise.catch(() => undefined);
      await page.exposeFunction('codeAutomationExit', over.resolve);
      await page.goto(url);
      try {
        await Promise.race([whilePageIsOpen(page), over.promise]);
        const code = await over.promise;
        if (code !== 0) throw new Error(`ended with ${String(code)}`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`The program in the extension host ${reason}:\n${said.slice(-20).join('\n')}`, {
          cause: error,
        });
      } finally {
        clearTimeout(limit);
      }
      return await readFile(result, 'utf8');
    } finally {
      await context.close();
    }
  };
}
