import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

import { skipAloud } from '../../reporting/skip.ts';
import { brokerWith, countingSource, HOST } from '../../unit/broker/broker-harness.ts';

/** Asks the pointer in its environment as an SDK does, and says who it is inside and what came of it. */
const ASK = `import os, urllib.request as u, urllib.error as e
r = u.Request(os.environ["DATABRICKS_METADATA_SERVICE_URL"], headers={
    "X-Databricks-Metadata-Version": "1", "X-Databricks-Host": os.environ["DATABRICKS_HOST"]})
print("uid", os.getuid(), "pid", os.getpid())
try: print(u.urlopen(r, timeout=5).status)
except e.HTTPError as x: print(x.status, x.read().decode())
except e.URLError as x: print("unreachable", x.reason)`;

/** What containers are made of, each as `unshare` makes it: namespaces of the kernel's. */
const OWN_FILES_AND_PROCESSES = ['--mount', '--pid', '--fork', '--uts', '--ipc', '--mount-proc'];

/** Docker's daemon is not had where these tests run: these are the namespaces that it and rootless engines give. */
describe('broker: a program in the namespaces of a container', () => {
  before(function () {
    if (process.platform !== 'linux') skipAloud(this, 'namespaces are of Linux');
    const { status } = spawnSync('unshare', [...OWN_FILES_AND_PROCESSES, 'true']);
    if (status !== 0) skipAloud(this, 'this account may not make namespaces');
  });

  /** Asks from a container, and gives what it printed and how often a token was asked for. */
  async function askFrom(
    namespaces: readonly string[],
    as: { uid?: number } = {},
  ): Promise<[string, number]> {
    const source = countingSource(() => ({ accessToken: 'the-token', expiresAtMs: 1_800_003_600_000 }));
    await using broker = await brokerWith();
    const { url } = broker.open({ host: HOST, source });
    const user = as.uid === undefined ? [] : ['setpriv', `--reuid=${String(as.uid)}`, '--clear-groups'];
    // Somebody else does not see all of our PATH, so their own shell looks for the program.
    const program = [...user, 'sh', '-c', 'exec python3 -c "$0"', ASK];
    const child = spawn('unshare', [...OWN_FILES_AND_PROCESSES, ...namespaces, ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        DATABRICKS_HOST: HOST,
        DATABRICKS_METADATA_SERVICE_URL: url,
      },
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await once(child, 'close');
    return [printed, source.calls];
  }

  it('is served where it shares the network and is the same user (docker run --network host --user)', async () => {
    const [printed, calls] = await askFrom([]);
    assert.match(printed, /^uid \d+ pid [1-9]\n200\n$/);
    assert.equal(calls, 1);
  });

  it('is served where it is root inside and the same user outside (rootless engines)', async function () {
    const { status } = spawnSync('unshare', [
      '--user',
      '--map-root-user',
      ...OWN_FILES_AND_PROCESSES,
      'true',
    ]);
    if (status !== 0) skipAloud(this, 'this account may not make user namespaces');
    const [printed, calls] = await askFrom(['--user', '--map-root-user']);
    assert.match(printed, /^uid 0 pid [1-9]\n200\n$/);
    assert.equal(calls, 1);
  });

  it('is refused where it shares the network and is another user (docker run --network host without --user)', async function () {
    if (process.geteuid?.() !== 0) skipAloud(this, 'only root can start a program as somebody else');
    if (spawnSync('setpriv', ['--version']).status !== 0) skipAloud(this, 'there is no setpriv');
    const [printed, calls] = await askFrom([], { uid: 65_534 });
    assert.match(printed, /^uid 65534 pid [1-9]\n403 .*other_user/);
    assert.equal(calls, 0);
  });

  it('does not reach it from a network of its own, as with any other network of Docker', async () => {
    const [printed, calls] = await askFrom(['--net']);
    assert.match(printed, /^uid \d+ pid [1-9]\nunreachable /);
    assert.equal(calls, 0);
  });
});
