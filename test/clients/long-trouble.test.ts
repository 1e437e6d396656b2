import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

import { installPython } from '../../demo/stage/python.ts';
import { pointerEnvironment, type Refusal, startBroker } from '../../src/broker/index.ts';
import { OamError } from '../../src/domain/errors.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import { createRedactor } from '../../src/domain/redaction.ts';
import { SECOND_MS } from '../../src/domain/time.ts';
import { startSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import { EDITOR_CLIENT_ID, PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { orSkip } from '../reporting/skip.ts';

const JOB = `
from databricks.sdk import WorkspaceClient
w = WorkspaceClient()
print("began as", w.current_user.me().user_name, flush=True)
input()
print("went on as", w.current_user.me().user_name, flush=True)
`;

/** A token with less life than this is not handed out, so one of so long is good for a second. */
const TOKEN_MS = 11 * SECOND_MS;

/** In the place of eight seconds, so that a test does not take minutes. */
const ANSWER_WITHIN_MS = 300;

describe("a job by Databricks' own Python SDK", () => {
  const running = new AsyncDisposableStack();
  after(() => running.disposeAsync());

  it('goes on after trouble that lasted longer than its token and its patience with one answer', async function () {
    this.timeout(600_000);
    const { python } = await orSkip(this, () => installPython(console.log));
    const databricks = await startSandboxDatabricks({
      identityProvider: { issuer: 'https://idp.example', audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    running.defer(() => databricks.close());
    const { host } = databricks.workspaces.prod;
    const clock = { nowMs: () => Date.now() };
    const broker = await startBroker({
      ...{ clock, logger: silentLogger, redactor: createRedactor(), answerWithinMs: ANSWER_WITHIN_MS },
    });
    running.defer(() => broker.close());
    const accessToken = databricks.personalAccessToken('prod', PEOPLE.ana.userName);
    const away = { yes: false };
    const refused = Promise.withResolvers<void>();
    const refusals: Refusal[] = [];
    const path = broker.open({
      host,
      source: {
        token: () =>
          away.yes
            ? Promise.reject(new OamError('unreachable', 'The network is down.'))
            : Promise.resolve({ accessToken, expiresAtMs: clock.nowMs() + TOKEN_MS }),
      },
      onRefusal(refusal) {
        refusals.push(refusal);
        // Away through three answers, however slow the machine is.
        if (refusals.length === 3) refused.resolve();
      },
    });
    const job = spawn(python, ['-c', JOB], {
      env: { PATH: process.env['PATH'], ...pointerEnvironment({ host, url: path.url }) },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    running.defer(() => void job.kill());
    const printed = createInterface({ input: job.stdout })[Symbol.asyncIterator]();
    const ended = once(job, 'close');
    assert.deepEqual(await printed.next(), { done: false, value: `began as ${PEOPLE.ana.userName}` });
    away.yes = true;
    const headers = { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host };
    while ((await fetch(path.url, { headers })).ok) await delay(100);
    refusals.length = 0;
    job.stdin.end('\n');
    await Promise.race([
      refused.promise,
      ended.then(() => assert.fail('The job ended in the middle of the trouble.')),
    ]);
    away.yes = false;
    assert.deepEqual(await printed.next(), { done: false, value: `went on as ${PEOPLE.ana.userName}` });
    assert.deepEqual(await ended, [0, null]);
    assert.deepEqual(new Set(refusals.map(({ code }) => code)), new Set(['unreachable']));
  });
});
