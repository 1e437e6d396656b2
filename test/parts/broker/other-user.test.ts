import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { skipAloud } from '../../reporting/skip.ts';
import { brokerWith, countingSource, HOST } from '../../unit/broker/broker-harness.ts';

const NOBODY = 65_534;

/** Asks the pointer in its first argument, and says what came of it. */
const ASK = `import sys, urllib.request as u, urllib.error as e
r = u.Request(sys.argv[1], headers={"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": sys.argv[2]})
try: print(u.urlopen(r).status)
except e.HTTPError as x: print(x.status, x.read().decode())`;

describe('broker: a real program of another user', () => {
  it('is refused', async function () {
    if (process.platform !== 'linux') skipAloud(this, 'the peer is looked up in /proc');
    if (process.geteuid?.() !== 0) skipAloud(this, 'only root can start a program as somebody else');
    const source = countingSource(() => ({ accessToken: 'the-token', expiresAtMs: 1_800_003_600_000 }));
    await using broker = await brokerWith();
    const { url } = broker.open({ host: HOST, source });
    const child = spawn('python3', ['-c', ASK, url, HOST], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] },
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await once(child, 'close');
    assert.match(printed, /^403 .*other_user/);
    assert.equal(source.calls, 0);
  });
});
