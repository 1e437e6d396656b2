import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';

import * as z from 'zod';

import { ACTIVATION_MAX_BYTES, bundle, KEYCHAIN_MACHINES } from '../../../build/bundle.ts';
import { packageExtension } from '../../../build/package.ts';

const run = promisify(execFile);

const Manifest = z.object({ license: z.string() });

/** What a person downloads; more than half of it are the keychain's native parts for seven kinds of machines. */
const VSIX_MAX_BYTES = 640 * 1024;

/** What is read when it is asked for: the views of leads and auditors, and what commands do. */
const LATE = [
  ...['team-view', 'timeline', 'export-team', 'decisions', 'reviews', 'request-document'],
  ...['audit-view', 'audit-commands', 'verify-trail', 'export-trail'],
  ...['request-wizard', 'find-role'],
];

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

  it('holds what runs, what is read and what is seen, and is packed without a warning', async () => {
    const said: string[] = [];
    const { log, warn } = console;
    const listen = (...words: unknown[]): void => void said.push(words.join(' '));
    Object.assign(console, { log: listen, warn: listen });
    const vsix = await packageExtension(path.join(folder, 'listed.vsix')).finally(() =>
      Object.assign(console, { log, warn }),
    );
    assert.deepEqual(
      said.filter((line) => /warning|error/i.test(line)),
      [],
    );
    const entries = entriesOf(await readFile(vsix)).map((entry) => entry.replace(/^extension\//, ''));
    const bundled = (entry: string): boolean => /^dist\/extension\/[\w.-]+\.mjs$/.test(entry);
    const native = (entry: string): boolean => entry.startsWith('dist/extension/node_modules/keytar/');
    assert(entries.includes('dist/extension/extension.mjs'));
    assert.deepEqual(entries.filter((entry) => !bundled(entry) && !native(entry)).sort(), [
      'LICENSE.txt',
      'SECURITY.md',
      'SUPPORT.md',
      '[Content_Types].xml',
      'changelog.md',
      'dist/extension/notebook/oam_access.py',
      'extension.vsixmanifest',
      'l10n/bundle.l10n.de.json',
      'media/activity-bar.svg',
      'media/icon.png',
      'media/timeline/timeline.css',
      'media/timeline/timeline.js',
      'media/walkthrough/address.svg',
      'media/walkthrough/request.svg',
      'media/walkthrough/return.svg',
      'media/walkthrough/sign-in.svg',
      'media/walkthrough/use.svg',
      'package.json',
      'package.nls.de.json',
      'package.nls.json',
      'readme.md',
    ]);
  });

  it('is within the limits of Open VSX', async () => {
    const vsix = await readFile(await packageExtension(path.join(folder, 'open-vsx.vsix')));
    const manifest = entryOf(vsix, 'extension.vsixmanifest');
    const said = (pattern: RegExp): string =>
      pattern.exec(manifest)?.[1] ?? assert.fail(`${String(pattern)} is not in the manifest.`);
    const property = (id: string): string =>
      said(new RegExp(`<Property Id="Microsoft\\.VisualStudio\\.Services\\.${id}" Value="([^"]*)"`));
    // As its server judges: org.eclipse.openvsx.ExtensionValidator, whose longest text is 255 unless told.
    const [publisher, name] = [said(/ Publisher="([^"]*)"/), said(/ Id="([^"]*)"/)];
    for (const id of [publisher, name]) assert.match(id, /^[\w\-+$~]{1,255}$/);
    assert.match(said(/ Version="([^"]*)"/), /^\d+\.\d+\.\d+$/);
    assert.doesNotMatch(manifest, / TargetPlatform="/);
    const texts: readonly (readonly [string, number])[] = [
      [said(/<DisplayName>([^<]*)</), 255],
      [said(/<Description[^>]*>([^<]*)</), 2_048],
      ...said(/<Categories>([^<]*)</)
        .split(',')
        .map((text) => [text, 255] as const),
      ...said(/<Tags>([^<]*)</)
        .split(',')
        .map((text) => [text, 255] as const),
      [property('Branding\\.Color'), 16],
    ];
    for (const [text, limit] of texts) {
      assert(text.length <= limit, text);
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Zl}\p{Zp}]/u);
    }
    assert(['dark', 'light'].includes(property('Branding\\.Theme')));
    assert.equal(property('GitHubFlavoredMarkdown'), 'true');
    // It shows nothing without a licence that it can name, and takes no package that is larger than 512 MB.
    assert.equal(said(/<License>([^<]*)</), 'extension/LICENSE.txt');
    assert.equal(Manifest.parse(JSON.parse(entryOf(vsix, 'extension/package.json'))).license, 'Apache-2.0');
  });

  it('reads what few people need, and what waits for a click, only when it is needed', async () => {
    const entry = await bundle('extension', folder);
    const read = new Set<string>();
    const follow = async (file: string): Promise<void> => {
      if (read.has(file)) return;
      read.add(file);
      const code = await readFile(path.join(path.dirname(entry), file), 'utf8');
      for (const [, imported] of code.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.mjs)"/g)) {
        if (imported !== undefined) await follow(imported);
      }
    };
    await follow(path.basename(entry));
    const bytes = await Promise.all(
      [...read].map(async (file) => (await stat(path.join(path.dirname(entry), file))).size),
    );
    assert(bytes.reduce((sum, each) => sum + each, 0) <= ACTIVATION_MAX_BYTES);
    const late = (await readdir(path.dirname(entry))).filter((file) =>
      LATE.some((part) => new RegExp(`^${part}-\\w+\\.mjs$`).test(file)),
    );
    assert.equal(late.length, LATE.length);
    assert.deepEqual(
      late.filter((file) => read.has(file)),
      [],
    );
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

/** The directory of a ZIP archive (APPNOTE.TXT 4.3.12), without the help of what packed it. */
function directoryOf(
  archive: Buffer,
): { readonly name: string; readonly at: number; readonly size: number }[] {
  const entries = [];
  const end = archive.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'));
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [name = 0, extra = 0, comment = 0] = [28, 30, 32].map((offset) =>
      archive.readUInt16LE(at + offset),
    );
    entries.push({
      name: archive.toString('utf8', at + 46, at + 46 + name),
      at: archive.readUInt32LE(at + 42),
      size: archive.readUInt32LE(at + 20),
    });
    at += 46 + name + extra + comment;
  }
  return entries;
}

const entriesOf = (archive: Buffer): string[] => directoryOf(archive).map(({ name }) => name);

/** The text of an entry. */
function entryOf(archive: Buffer, wanted: string): string {
  const { at, size } = directoryOf(archive).find(({ name }) => name === wanted) ?? assert.fail(wanted);
  const from = at + 30 + archive.readUInt16LE(at + 26) + archive.readUInt16LE(at + 28);
  const data = archive.subarray(from, from + size);
  return (archive.readUInt16LE(at + 8) === 0 ? data : inflateRawSync(data)).toString('utf8');
}
