import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { MissingPrerequisite, requirePython } from '../../../demo/stage/preflight.ts';
import { freshCheckout, type FreshCheckout } from '../../reporting/fresh-checkout.ts';
import { skipAloud } from '../../reporting/skip.ts';
import { startWatched, type WatchedProcess } from '../../reporting/watched-process.ts';

/** Away from the other tests' ports. */
const PORT = 17_854;

describe('npm run demo on a machine that lacks something', function () {
  this.timeout(30_000);
  let checkout: FreshCheckout;
  let demo: WatchedProcess | undefined;

  before(async () => {
    checkout = await freshCheckout('demo', 'src', 'package.json');
  });
  after(() => checkout.remove());
  afterEach(async () => {
    await demo?.close();
    demo = undefined;
  });

  /** Nothing was installed, nothing runs, and no file is left. */
  const assertUntouched = async (touched: WatchedProcess): Promise<void> => {
    assert.deepEqual(touched.others(), []);
    assert.deepEqual(await readdir(touched.temporary), []);
    const installed = await readdir(join(checkout.path, '.vscode-test')).catch(() => []);
    assert.deepEqual(installed, []);
  };

  /** What it says before it gives up. */
  const says = async (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> => {
    demo = await startWatched('demo/main.ts', words, { checkout: checkout.path, env });
    const { code } = await demo.process.ended;
    await demo.process.drained;
    assert.equal(code, 1);
    await assertUntouched(demo);
    return demo.process.tail();
  };

  /** @param port one that the system chooses, unless given. */
  const listening = async (server: Server, port = 0): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };

  /** A folder that holds a program, for PATH or PYTHON. */
  const folderWith = async (name: string, script: string): Promise<string> => {
    const folder = join(checkout.path, 'programs', name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return folder;
  };

  /** The path of the Python that the demo would use. */
  const python = (context: Mocha.Context): string => {
    try {
      const program = ['-c', 'import sys; print(sys.executable)'];
      return execFileSync(requirePython(), program, { encoding: 'utf8' }).trim();
    } catch (error) {
      if (error instanceof MissingPrerequisite) skipAloud(context, error.message);
      throw error;
    }
  };

  for (const words of [['--port', String(PORT)], ['--tour']]) {
    const command = `npm run demo -- ${words.join(' ')}`;

    it(`${command}: no Python`, async () => {
      assert.match(
        await says(words, { PYTHON: '/nowhere/python3' }),
        /^No Python 3\.10 or newer was found: run .*then try again\.$/,
      );
    });

    it(`${command}: a Python that makes no virtual environments`, async function () {
      const script = `case "$2" in *ensurepip*) exit 1;; esac; exec '${python(this)}' "$@"`;
      const folder = await folderWith('python-without-venv', script);
      assert.match(
        await says(words, { PYTHON: join(folder, 'python-without-venv') }),
        /^\S+ cannot make virtual environments: run .*then try again\.$/,
      );
    });

    it(`${command}: no compiler`, async function () {
      const folder = await folderWith('python3', `exec '${python(this)}' "$@"`);
      assert.match(
        await says(words, { PATH: folder, CXX: '' }),
        /^No C\+\+ compiler was found, and VS Code needs one once: run .*then try again\.$/,
      );
    });
  }

  it('a port that is taken', async () => {
    const server = createServer();
    // Beside one that the system chose, others may be taken too: it would be told of the first.
    const port = await listening(server, PORT + 3);
    try {
      assert.match(
        await says(['--port', String(PORT)]),
        new RegExp(`^Port ${String(port)} is taken: stop what listens there, or .*--port \\d+\`\\.$`),
      );
    } finally {
      server.close();
    }
  });

  it('a port that is none', async () => {
    assert.match(await says(['--port', 'twelve']), /^The port must be a number from 1024 to 65528: .*\.$/);
  });

  it("npm's registry out of reach", async () => {
    const text = await says(['--port', String(PORT)], {
      npm_config_registry: 'http://127.0.0.1:1/',
      npm_config_fetch_retries: '0',
    });
    assert.match(
      text,
      /^VS Code could not be fetched: check that npm reaches its registry, then try again\. \(.*127\.0\.0\.1:1.*\)$/m,
    );
  });

  it('and is stopped by Ctrl-C while it installs', async () => {
    const silent = createServer();
    const asked = once(silent, 'request');
    try {
      demo = await startWatched('demo/main.ts', ['--port', String(PORT)], {
        checkout: checkout.path,
        env: { npm_config_registry: `http://127.0.0.1:${String(await listening(silent))}/` },
      });
      await asked;
      assert.notDeepEqual(demo.others(), []);
      process.kill(demo.process.pid, 'SIGINT');
      assert.deepEqual(await demo.process.ended, { code: 130, signal: null });
      await assertUntouched(demo);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
