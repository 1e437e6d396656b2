import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

import { chromium, type Browser } from 'playwright-core';

import { fillOnce, temporaryFolder, TOOLS } from './folders.ts';
import { MissingPrerequisite } from './preflight.ts';
import { run } from './processes.ts';

const SYSTEM_BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser, and what it keeps in files. */
export interface RunningBrowser {
  readonly browser: Browser;
  /** Ends it, and removes its files. */
  close(): Promise<void>;
}

/**
 * Starts a headless Chromium: npm's `@sparticuz/chromium` with the libraries that it brings, so that a fresh
 * machine needs no packages; where it does not run, the system's.
 */
export async function launchBrowser(fonts: string): Promise<RunningBrowser> {
  const bundled = await unpack(fonts);
  const system = SYSTEM_BROWSERS.find((path) => existsSync(path));
  const problems: string[] = [];
  for (const candidate of [bundled, system === undefined ? undefined : { executable: system, env: {} }]) {
    if (candidate === undefined) continue;
    // A page that is ended between making a piece of shared memory and taking its name away leaves that file behind.
    const temporary = await temporaryFolder('b');
    try {
      const browser = await chromium.launch({
        executablePath: candidate.executable,
        env: { ...inheritedStrings(), ...candidate.env, TMPDIR: temporary.path },
        // Our signal handlers close the browser, after what uses it.
        handleSIGINT: false,
        handleSIGTERM: false,
        handleSIGHUP: false,
        args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none'],
      });
      return {
        browser,
        async close() {
          await browser.close();
          await temporary.remove();
        },
      };
    } catch (error) {
      await temporary.remove();
      problems.push(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
    }
  }
  throw new MissingPrerequisite(
    `No headless browser runs here: run \`sudo apt-get install chromium\`, then try again. (${problems.join('; ')})`,
  );
}

interface Unpacked {
  readonly executable: string;
  readonly env: Record<string, string>;
}

async function unpack(fonts: string): Promise<Unpacked | undefined> {
  // The package carries a program for this platform only.
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const require = createRequire(import.meta.url);
  const bin = join(dirname(require.resolve('@sparticuz/chromium')), '..', '..', 'bin');
  const { version } = JSON.parse(await readFile(join(bin, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(TOOLS, `chromium-${version}`);
  await fillOnce(folder, async (scratch) => {
    await writeFile(join(scratch, 'chromium'), await decompress(join(bin, 'chromium.br')));
    await chmod(join(scratch, 'chromium'), 0o755);
    for (const name of ['al2023', 'fonts', 'swiftshader']) {
      const archive = join(scratch, `${name}.tar`);
      await writeFile(archive, await decompress(join(bin, `${name}.tar.br`)));
      // The libraries for drawing are looked up beside the program.
      const target = name === 'swiftshader' ? scratch : join(scratch, name);
      await mkdir(target, { recursive: true });
      await run({ name: 'tar', command: 'tar', arguments: ['xf', archive, '-C', target] });
    }
    await writeFile(join(scratch, 'fonts.conf'), fontConfiguration(join(folder, 'fonts'), fonts, folder));
  });
  return {
    executable: join(folder, 'chromium'),
    env: {
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      FONTCONFIG_FILE: join(folder, 'fonts.conf'),
    },
  };
}

const decompress = async (file: string): Promise<Buffer> => promisify(brotliDecompress)(await readFile(file));

function fontConfiguration(sans: string, mono: string, cache: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${sans}</dir>
  <dir>${mono}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(cache, 'font-cache')}</cachedir>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family><family>DejaVu Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Open Sans</family><family>DejaVu Sans</family></prefer></alias>
</fontconfig>
`;
}

function inheritedStrings(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
