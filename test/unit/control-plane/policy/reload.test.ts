import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import type { FileProblem } from '../../../../src/control-plane/configuration/problems.ts';
import {
  type PolicyFolder as ReadFolder,
  readPolicyFolder,
  readSettledFolder,
} from '../../../../src/control-plane/policy/folder.ts';
import { createLivePolicy } from '../../../../src/control-plane/policy/live.ts';
import { compilePolicy } from '../../../../src/control-plane/policy/publish.ts';
import { startPolicyReload } from '../../../../src/control-plane/policy/reload.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { ENVIRONMENT, type PolicyFolder, policyFolder } from './folder.ts';

const FORBIDS_ALL =
  '@id("closed") @because("Closed.") forbid(principal, action in [Action::"request"], resource);\n';

describe('a policy folder', () => {
  let folder: PolicyFolder;
  beforeEach(async () => {
    folder = await policyFolder();
  });
  afterEach(() => folder.remove());

  it('that is being written is read until it has come to rest', async () => {
    let writes = 0;
    const writer = setInterval(() => {
      writes += 1;
      if (writes === 5) clearInterval(writer);
      writeFileSync(
        `${folder.path}/extra.cedar`,
        `${'// half\n'.repeat(writes)}${writes === 5 ? FORBIDS_ALL : ''}`,
      );
    }, 10);
    const { texts } = await readSettledFolder(folder.path, 60);
    clearInterval(writer);
    assert.equal(texts.get('extra.cedar')?.endsWith(FORBIDS_ALL), true);
  });

  it('that never comes to rest is not taken for whole', async () => {
    let writes = 0;
    const writer = setInterval(() => {
      writeFileSync(`${folder.path}/extra.cedar`, `// ${++writes}\n`);
    }, 1);
    try {
      await assert.rejects(readSettledFolder(folder.path, 30), (error) =>
        hasCode(error, 'policy_folder_unsettled'),
      );
    } finally {
      clearInterval(writer);
    }
  });

  it('is refused for a rule that cannot be read, and does not wait for a pipe', async () => {
    execFileSync('mkfifo', [`${folder.path}/pipe.cedar`]);
    await mkdir(`${folder.path}/folder.cedar`);
    const read = await readPolicyFolder(folder.path);
    await assert.rejects(
      compilePolicy(read, ENVIRONMENT),
      /folder\.cedar: The file .*\n.*pipe\.cedar: The file/,
    );
  });

  it('changes its content with every character, also where nothing else is decided', async () => {
    const before = await readPolicyFolder(folder.path);
    await folder.write('extra.cedar', '// Only a word beside the rules.\n');
    const after = await readPolicyFolder(folder.path);
    assert.notEqual(after.contentHash, before.contentHash);
    const versions = await Promise.all([before, after].map((read) => compilePolicy(read, ENVIRONMENT)));
    assert.equal(versions[0]?.hash, versions[1]?.hash);
  });
});

describe('taking up a changed policy folder', function () {
  this.timeout(10_000);
  let stack: AsyncDisposableStack;
  let folder: PolicyFolder;
  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    folder = await policyFolder();
    stack.defer(() => folder.remove());
  });
  afterEach(() => stack.disposeAsync());

  /** A reload of a folder, and what comes of it. */
  const watching = async (options: { path?: string; prepare?: () => Promise<void> } = {}) => {
    const path = options.path ?? folder.path;
    const compiled: ReadFolder[] = [];
    const compile = (read: ReadFolder) => {
      compiled.push(read);
      return compilePolicy(read, ENVIRONMENT);
    };
    const first = await readPolicyFolder(path);
    const live = createLivePolicy(await compile(first));
    const refused: { problems: readonly FileProblem[]; contentHash: string }[] = [];
    const changes: string[] = [];
    const loop = startPolicyReload({
      live,
      source: { path, contentHash: first.contentHash, compile, pollMs: 10, settleMs: 10 },
      prepare: options.prepare ?? (() => Promise.resolve()),
      recordRefused: (problems, contentHash) => {
        refused.push({ problems, contentHash });
        return Promise.resolve();
      },
      changed: () => changes.push(live.current().hash),
      logger: silentLogger,
    });
    stack.defer(() => loop.stop());
    return { live, refused, changes, compiled };
  };

  const eventually = async (holds: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 500; tries += 1) {
      if (holds()) return;
      await delay(10);
    }
    assert.fail(`It did not come to be: ${holds.toString()}`);
  };

  it('follows a mount whose folder is swapped behind a link', async () => {
    const mount = `${folder.path}/mount`;
    await mkdir(mount);
    for (const name of ['old', 'new']) await mkdir(`${mount}/..${name}`);
    const files = ['catalogue.yaml', 'schema.cedarschema', 'requests.cedar', 'oversight.cedar'];
    const { texts } = await readPolicyFolder(folder.path);
    for (const name of files) {
      await writeFile(`${mount}/..old/${name}`, texts.get(name) ?? '');
      await writeFile(`${mount}/..new/${name}`, `${texts.get(name) ?? ''}`);
      await symlink(`..data/${name}`, `${mount}/${name}`);
    }
    await writeFile(`${mount}/..new/requests.cedar`, `${texts.get('requests.cedar') ?? ''}${FORBIDS_ALL}`);
    await symlink('..old', `${mount}/..data`);
    const { live, changes, refused } = await watching({ path: mount });
    const before = live.current().hash;
    await symlink('..new', `${mount}/..next`);
    await rename(`${mount}/..next`, `${mount}/..data`);
    await eventually(() => changes.length > 0);
    assert.notEqual(live.current().hash, before);
    assert.deepEqual(refused, []);
  });

  it('follows a link that is put in the place of another: a new folder decides whole, and not while it is written', async () => {
    const { texts } = await readPolicyFolder(folder.path);
    const [link, next] = [`${folder.path}/policy`, `${folder.path}/policy-next`];
    await symlink(folder.path, link);
    const { live, changes, compiled } = await watching({ path: link });
    const before = live.current().hash;
    await mkdir(next);
    for (const [name, text] of texts) await writeFile(`${next}/${name}`, text);
    await writeFile(`${next}/extra.cedar`, FORBIDS_ALL);
    assert.equal(compiled.length, 1);
    await symlink(next, `${link}.next`);
    await rename(`${link}.next`, link);
    await eventually(() => changes.length > 0);
    assert.notEqual(live.current().hash, before);
    assert.equal(compiled.length, 2);
  });

  it('refuses a content once, goes on with the version before, and ends the alarm when it is taken back', async () => {
    const { live, refused, compiled } = await watching();
    const before = live.current();
    await folder.write('extra.cedar', 'permit(');
    await eventually(() => refused.length > 0);
    const looked = compiled.length;
    await delay(100);
    assert.equal(compiled.length, looked);
    assert.equal(live.current(), before);
    assert.equal(live.isBehind(), true);
    await rm(`${folder.path}/extra.cedar`);
    await eventually(() => !live.isBehind());
    assert.equal(live.current(), before);
    assert.equal(refused.length, 1);
  });

  it('lets no version decide that could not be put on the record, and tries again', async () => {
    let isAway = true;
    const { live, changes } = await watching({
      prepare: () => (isAway ? Promise.reject(new Error('The store is away.')) : Promise.resolve()),
    });
    const before = live.current().hash;
    await folder.write('extra.cedar', FORBIDS_ALL);
    await delay(200);
    assert.equal(live.current().hash, before);
    isAway = false;
    await eventually(() => changes.length > 0);
    assert.notEqual(live.current().hash, before);
  });

  it('waits a moment for a folder that is put in the place of another, and says where there is none', async () => {
    const { live, refused, changes } = await watching();
    await rename(folder.path, `${folder.path}-away`);
    stack.defer(() => rm(`${folder.path}-away`, { recursive: true, force: true }));
    await eventually(() => refused.length > 0);
    assert.match(refused[0]?.problems[0]?.message ?? '', /cannot be read/);
    assert.equal(live.isBehind(), true);
    await rename(`${folder.path}-away`, folder.path);
    await eventually(() => !live.isBehind());
    assert.deepEqual(changes, []);
    assert.equal(refused.length, 1);
  });
});
