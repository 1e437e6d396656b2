import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { bundle, KEYCHAIN_MACHINES } from '../../../build/bundle.ts';
import { packageExtension } from '../../../build/package.ts';

const run = promisify(execFile);

/** What a person downloads; more than half of it are the keychain's native parts for seven kinds of machines. */
const VSIX_MAX_BYTES = 640 * 1024;

describe('the package of the extension', function () {
  this.timeout(60_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'oam-vsix-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('carries the keychain for every machine that VS Code is made for, and stays small', async () => {
    const entry = await bundle('extension', folder);
    const keytar = path.join(path.dirname(entry), 'node_modules', 'keytar');
    const files = (await readdir(keytar, { recursive: true, withFileTypes: true }))
      .filter((file) => file.isFile())
      .map((file) => path.relative(keytar, path.join(file.parentPath, file.name)));
    assert.deepEqual(
      files.sort(),
      [
        'LICENSE.md',
        'lib/keytar.js',
        'package.json',
        ...KEYCHAIN_MACHINES.map((machine) => `prebuilds/${machine}/keytar.node`),
      ].sort(),
    );
    assert.equal(createRequire(entry).resolve('keytar'), path.join(keytar, 'lib', 'keytar.js'));
    const { size } = await stat(await packageExtension(path.join(folder, 'oam.vsix')));
    assert(size <= VSIX_MAX_BYTES, `${size} bytes`);
  });

  it('loads its native part where this machine has what that needs', async function () {
    const entry = await bundle('extension', folder);
    const ask = `import keytar from 'keytar'; process.stdout.write(typeof keytar.getPassword)`;
    const loaded = run(process.execPath, ['--input-type=module', '-e', ask], { cwd: path.dirname(entry) });
    const said = await loaded.then(
      ({ stdout }) => stdout,
      (error: unknown) => String(error),
    );
    if (said !== 'function' && said.includes('Failed to load keytar native addon')) {
      console.log('    skipped: libsecret is not installed here');
      this.skip();
    }
    assert.equal(said, 'function');
  });
});
