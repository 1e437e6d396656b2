import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { workloadIdentity } from '../../../src/cli/workload/identity.ts';
import { keepAlive, windowEndMs } from '../../../src/cli/workload/proof-of-life.ts';
import { openWorkloadSession } from '../../../src/cli/workload/session.ts';
import { createSignalDesk } from '../../../src/cli/signals.ts';
import { hasCode, OamError } from '../../../src/domain/errors.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { HttpRequest, HttpTransport } from '../../../src/protocol/transport.ts';
import { grantView, NOW } from './fake-control-plane.ts';

const JWT = 'aaaa.bbbb.cccc';
const never = new AbortController().signal;
const json = (status: number, body: unknown) =>
  Promise.resolve({ status, headers: {}, text: typeof body === 'string' ? body : JSON.stringify(body) });

describe('oam exec in a pipeline: who the job is', () => {
  const GITHUB = {
    ACTIONS_ID_TOKEN_REQUEST_URL: 'https://actions.example/token?api-version=2.0',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
  };
  const asking = (env: Record<string, string>, answer: HttpTransport = () => json(200, { value: JWT })) => {
    const sent: HttpRequest[] = [];
    const identity = workloadIdentity(env, (request) => {
      sent.push(request);
      return answer(request);
    });
    return { identity, sent, token: () => identity?.subjectToken(never) ?? assert.fail('Nobody.') };
  };

  it('is nobody on a machine of a person, and where a place gives no identity', () => {
    for (const env of [
      {},
      { CI: 'true', GITHUB_ACTIONS: 'true' },
      { GITLAB_CI: 'true', OAM_ID_TOKEN: '' },
      { SYSTEM_ACCESSTOKEN: 'x' },
      { ACTIONS_ID_TOKEN_REQUEST_URL: GITHUB.ACTIONS_ID_TOKEN_REQUEST_URL },
    ]) {
      assert.equal(asking(env).identity, undefined, JSON.stringify(env));
    }
  });

  it('is fresh at each call in GitHub Actions, for the audience that the job names', async () => {
    const { token, sent } = asking({ ...GITHUB, OAM_WORKLOAD_AUDIENCE: 'urn:acme:oam' });
    assert.deepEqual([await token(), await token()], [JWT, JWT]);
    assert.deepEqual(
      sent.map(({ url, headers }) => [url, headers?.['authorization']]),
      Array(2).fill([
        'https://actions.example/token?api-version=2.0&audience=urn%3Aacme%3Aoam',
        'Bearer request-token',
      ]),
    );
  });

  it('comes from what the job says itself before anything else, a file being read anew each time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'oam-identity-'));
    try {
      const file = join(folder, 'token');
      await writeFile(file, `${JWT}\n`);
      const fromFile = asking({ ...GITHUB, OAM_ID_TOKEN_FILE: file });
      assert.equal(await fromFile.token(), JWT);
      await writeFile(file, 'dddd.eeee.ffff');
      assert.equal(await fromFile.token(), 'dddd.eeee.ffff');
      const script = join(folder, 'print.mjs');
      await writeFile(script, `console.log('gggg.hhhh.' + process.argv[2])`);
      const command = `${process.execPath} ${script} $(id)`;
      const printed = asking({ OAM_ID_TOKEN: JWT, OAM_ID_TOKEN_COMMAND: command });
      await assert.rejects(printed.token(), (error) => hasCode(error, 'no_workload_token'));
      const plain = asking({ OAM_ID_TOKEN: JWT, OAM_ID_TOKEN_COMMAND: `${process.execPath} ${script} iiii` });
      assert.equal(await plain.token(), 'gggg.hhhh.iiii');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  for (const [what, answer] of Object.entries<[number, unknown]>({
    'a refusal': [403, { message: 'no id-token permission' }],
    'no token': [200, {}],
    rubbish: [200, '<html>'],
    'what is no signed token': [200, { value: 'secret-but-no-jwt' }],
  })) {
    it(`is refused in words when the place answers ${what}, and nothing of it is shown`, async () => {
      const { token } = asking(GITHUB, () => json(...answer));
      await assert.rejects(token(), (error) => {
        assert.ok(hasCode(error, 'no_workload_token'));
        assert.match(error.message, /docs\/workloads\.md.*GitHub Actions/);
        assert.doesNotMatch(error.message, /secret-but-no-jwt|html/);
        return true;
      });
    });
  }

  it('does not quote what a program printed', async () => {
    const { token } = asking({ OAM_ID_TOKEN_COMMAND: 'sh -c exit' });
    await assert.rejects(token(), (error) => hasCode(error, 'no_workload_token'));
    await assert.rejects(asking({ OAM_ID_TOKEN_COMMAND: '/no/such/program' }).token(), (error) =>
      hasCode(error, 'no_workload_token'),
    );
  });
});

describe('oam exec in a pipeline: its way to the control plane', () => {
  async function opened(answers: (call: number) => ReturnType<HttpTransport>) {
    const clock = { now: NOW, nowMs: () => clock.now };
    const redactor = createRedactor();
    const exchanged: string[] = [];
    const transport: HttpTransport = (request) => {
      if (request.method === 'GET') return json(200, grantView());
      exchanged.push(request.body ?? '');
      return answers(exchanged.length);
    };
    let tokens = 0;
    const identity = {
      where: 'a test',
      subjectToken: () => Promise.resolve(`aaaa.bbbb.${String((tokens += 1))}`),
    };
    const session = await openWorkloadSession('https://oam.example', identity, {
      ...{ transport, clock, redactor, signals: createSignalDesk() },
    });
    return { session, clock, exchanged, redactor };
  }
  const good = (call: number) =>
    json(200, { access_token: `oamw_a-token-of-a-job-${String(call)}`, expires_in: 900 });
  const look = { params: { id: 'g1' } };

  it('is opened by an exchange and renewed ahead of its end, with a fresh token of the job each time', async () => {
    const { session, clock, exchanged, redactor } = await opened(good);
    await session.client.call('getGrant', look);
    assert.equal(exchanged.length, 1);
    clock.now += 8 * MINUTE_MS;
    await Promise.all([session.client.call('getGrant', look), session.client.call('getGrant', look)]);
    assert.deepEqual(
      exchanged.map((body) => new URLSearchParams(body).get('subject_token')),
      ['aaaa.bbbb.1', 'aaaa.bbbb.2'],
    );
    assert.ok(!redactor.redact('oamw_a-token-of-a-job-2').includes('oamw'));
  });

  it('goes on with what it has while the control plane is away, and says so when that has ended', async () => {
    const { session, clock } = await opened((call) =>
      call === 1 ? good(call) : json(503, { error: 'temporarily_unavailable' }),
    );
    clock.now += 14 * MINUTE_MS;
    await session.client.call('getGrant', look);
    clock.now += 2 * MINUTE_MS;
    await assert.rejects(session.client.call('getGrant', look), (error) =>
      hasCode(error, 'temporarily_unavailable'),
    );
  });

  it('takes the page of a load balancer for a control plane that is away, and for no wrong address', async () => {
    for (const status of [500, 502, 503]) {
      await assert.rejects(
        opened(() => Promise.resolve({ status, headers: {}, text: '<html>Bad Gateway</html>' })),
        (error) => hasCode(error, 'temporarily_unavailable'),
      );
    }
  });

  it('is refused in the words of the control plane', async () => {
    const why = { error: 'invalid_grant', error_description: 'Its issuer is none that is trusted.' };
    await assert.rejects(
      opened(() => json(400, why)),
      (error) => hasCode(error, 'workload_refused') && error.message.includes(why.error_description),
    );
    for (const rubbish of [json(200, '<html>'), json(404, {}), json(200, { access_token: '' })]) {
      await assert.rejects(
        opened(() => rubbish),
        (error) => hasCode(error, 'unexpected_answer'),
      );
    }
  });
});

describe('oam exec in a pipeline: the proof that its run lives', () => {
  /** A grant of an hour that ends a grace after the last proof. */
  function run(graceMinutes: number, fail: () => Error | undefined = () => undefined) {
    const clock = { now: NOW, nowMs: () => clock.now };
    const activatedAt = new Date(NOW).toISOString();
    let endsAtMs = NOW + graceMinutes * MINUTE_MS;
    const proofs: number[] = [];
    const transport: HttpTransport = () =>
      json(200, grantView({ minutes: 60, activatedAt, endsAt: new Date(endsAtMs).toISOString() }));
    const client = createControlPlaneClient({
      baseUrl: 'https://oam.example',
      accessToken: () => Promise.resolve('x'),
      transport,
    });
    const troubles: string[] = [];
    const alive = keepAlive({
      ...{ grantId: 'g1', clock, everyMs: 1 },
      session: {
        client,
        proveAlive() {
          const failure = fail();
          if (failure !== undefined) return Promise.reject(failure);
          proofs.push((clock.now - NOW) / MINUTE_MS);
          endsAtMs = Math.min(clock.now + graceMinutes * MINUTE_MS, NOW + 60 * MINUTE_MS);
          return Promise.resolve();
        },
      },
      onTrouble: ({ code }) => troubles.push(code),
    });
    return { clock, proofs, troubles, alive, leftMs: () => endsAtMs - clock.now };
  }

  const settle = () => new Promise((resolve) => setTimeout(resolve, 8));

  for (const grace of [1, 5, 10]) {
    it(`comes in time for a grace of ${String(grace)} minutes, all through the window, and not at every look`, async () => {
      const { clock, proofs, alive, leftMs } = run(grace);
      for (let step = 0; step < 240; step += 1) {
        clock.now += MINUTE_MS / 4;
        if (clock.now >= NOW + 59 * MINUTE_MS) break;
        await settle();
        assert.ok(leftMs() > 0, `it ended after ${String((clock.now - NOW) / MINUTE_MS)} minutes`);
      }
      alive[Symbol.dispose]();
      assert.ok(proofs.length <= 60 / (grace * 0.3), `${String(proofs.length)} proofs`);
    }).timeout(20_000);
  }

  it('is tried again after trouble, which is said once', async () => {
    let down = true;
    const { clock, proofs, troubles, alive } = run(10, () =>
      down ? new OamError('unreachable', 'Down.') : undefined,
    );
    for (let minute = 0; minute < 8; minute += 1) {
      clock.now += MINUTE_MS;
      await settle();
    }
    assert.deepEqual([troubles, proofs], [['unreachable'], []]);
    down = false;
    clock.now += MINUTE_MS;
    await settle();
    assert.equal(proofs.length, 1);
    alive[Symbol.dispose]();
  });

  it('moves nothing past the window that was approved', () => {
    const view = grantView({ minutes: 30, activatedAt: new Date(NOW).toISOString() });
    assert.equal(windowEndMs(view), NOW + 30 * MINUTE_MS);
  });
});
