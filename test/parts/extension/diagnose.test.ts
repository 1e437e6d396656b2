import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { startBroker, type TokenSource } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/time.ts';
import type { ConnectionState, SignedInState } from '../../../src/extension/connection/connection.ts';
import type { PinnedTrust } from '../../../src/extension/connection/pinned-trust.ts';
import { diagnose, type DiagnoseParts } from '../../../src/extension/diagnose/checks.ts';
import type { Finding } from '../../../src/extension/diagnose/finding.ts';
import type { ProxyFacts } from '../../../src/extension/diagnose/proxy.ts';
import { reportOf } from '../../../src/extension/diagnose/report.ts';
import { overLimit, type Session } from '../../../src/identity/index.ts';
import { axiosTransport, type HttpTransport } from '../../../src/protocol/transport.ts';
import {
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { fakeControlPlane } from '../../unit/extension/control-plane.ts';
import { english } from '../../unit/extension/localise.ts';
import { aMe, NOBODY, PROD } from '../../unit/extension/views.ts';
import { configurationOf, discover, signIn } from '../identity/sign-in.ts';

const URL_OF_OAM = 'https://oam.example.com';

const NO_PROXY: ProxyFacts = {
  settings: {
    'http.proxy': '',
    'http.proxySupport': 'override',
    'http.noProxy': [],
    'http.systemCertificates': true,
    'http.proxyStrictSSL': true,
  },
  environment: {},
};

describe('Diagnose', () => {
  let idp: RunningIdentityProvider;
  let session: Session;
  let trust: PinnedTrust;
  const redactor = createRedactor();
  before(async () => {
    idp = await startIdentityProvider();
    session = await signIn(await discover(idp), PEOPLE.ana);
    trust = {
      identity: { ...configurationOf(idp), scopes: [...configurationOf(idp).scopes] },
      workspaces: [PROD],
    };
  });
  after(() => idp.close());

  const source = (): TokenSource => ({
    token: () => Promise.resolve({ accessToken: 'a-token-of-databricks', expiresAtMs: Date.now() + HOUR_MS }),
  });
  const controlPlane =
    (changes: { configuration?: object; aheadMs?: number } = {}): HttpTransport =>
    async (request) => {
      if (!request.url.startsWith(URL_OF_OAM)) return axiosTransport()(request);
      return {
        status: 200,
        headers: {
          'content-type': 'application/json',
          date: new Date(Date.now() + (changes.aheadMs ?? 0)).toUTCString(),
        },
        text: JSON.stringify({
          product: 'databricks-ml-oam',
          version: '1.2.3',
          ...trust,
          ...changes.configuration,
        }),
      };
    };
  const signedInState = (): SignedInState => ({
    kind: 'signedIn',
    url: URL_OF_OAM,
    trust,
    session,
    client: fakeControlPlane({ getMe: () => aMe() }).client,
    caller: NOBODY,
  });
  const signedIn = (): ConnectionState => signedInState();
  const run = async (changes: Partial<DiagnoseParts> = {}, signal = new AbortController().signal) => {
    await using stack = new AsyncDisposableStack();
    const clock = { nowMs: () => Date.now() };
    const found: Finding[] = [];
    await diagnose(
      {
        l10n: english,
        address: () => URL_OF_OAM,
        state: signedIn,
        place: () => 'editor',
        pinned: () => trust,
        proxy: NO_PROXY,
        transport: controlPlane(),
        clock,
        trust: hostTrust([]),
        source,
        broker: async () => {
          const broker = await startBroker({ clock, logger: silentLogger, redactor });
          stack.defer(() => broker.close());
          return broker;
        },
        folders: () => [],
        ...changes,
      },
      signal,
      (finding) => found.push(finding),
    );
    return found;
  };
  const outcomes = (findings: readonly Finding[]) =>
    Object.fromEntries(findings.map(({ what, outcome }) => [what, outcome]));

  it('finds everything in order, door by door, as a program finds it, and tells no secret', async () => {
    const findings = await run();
    assert.deepEqual(outcomes(findings), {
      'Proxy and certificates': 'ok',
      'Control plane': 'ok',
      'Clock of this machine': 'ok',
      'Whom you trust': 'ok',
      'Identity provider': 'ok',
      'Sign-in': 'ok',
      'Control plane, as you': 'ok',
      [`Workspace ${PROD.name}`]: 'ok',
      'Local credentials': 'ok',
    });
    const report = reportOf({ l10n: english, redactor }, ['version'], findings);
    assert.match(report, /Everything that was looked at is in order/);
    for (const secret of [
      session.accessToken,
      session.idToken,
      session.refreshToken ?? '',
      'a-token-of-databricks',
    ]) {
      assert.ok(!report.includes(secret));
    }
  });

  it('says what a certificate of an authority that is not known means, and skips what depends on it', async () => {
    const findings = await run({
      state: () => ({ kind: 'signedOut', url: URL_OF_OAM, expired: false }),
      pinned: () => undefined,
      transport: () =>
        Promise.reject(
          new OamError('unreachable', 'The server could not be reached.', {
            detail: 'oam.example.com',
            cause: Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
          }),
        ),
    });
    assert.match(
      findings.find(({ what }) => what === 'Control plane')?.words ?? '',
      /let your IT install it/,
    );
    assert.deepEqual(outcomes(findings), {
      'Proxy and certificates': 'ok',
      'Control plane': 'failed',
      'Identity provider': 'skipped',
      'Sign-in': 'failed',
      'Control plane, as you': 'skipped',
      Workspaces: 'skipped',
      'Local credentials': 'skipped',
    });
  });

  it('says that the clock is off, and to which side', async () => {
    const behind = await run({ transport: controlPlane({ aheadMs: 10 * MINUTE_MS }) });
    const clock = behind.find(({ what }) => what === 'Clock of this machine');
    assert.equal(clock?.outcome, 'failed');
    assert.match(clock.words, /behind/);
    const ahead = await run({ transport: controlPlane({ aheadMs: -MINUTE_MS }) });
    assert.equal(outcomes(ahead)['Clock of this machine'], 'warning');
  });

  it('says that the control plane names others than before, a foreign workspace host, and one token for two doors', async () => {
    const foreign = { name: PROD.name, host: 'https://databricks.evil.example' };
    const findings = await run({
      transport: controlPlane({ configuration: { workspaces: [foreign] } }),
      pinned: () => ({ ...trust, workspaces: [foreign, PROD] }),
      source: () => ({ token: () => assert.fail('The subject token was sent.') }),
      trust: { ...hostTrust([]), isTrusted: () => false },
      state: () => ({
        ...{ kind: 'signedIn', url: URL_OF_OAM, session: { ...session, idToken: session.accessToken } },
        ...{ trust, client: fakeControlPlane({ getMe: () => aMe() }).client, caller: NOBODY },
      }),
    });
    assert.equal(outcomes(findings)['Whom you trust'], 'warning');
    assert.match(
      findings.find(({ what }) => what === `Workspace ${PROD.name}`)?.words ?? '',
      /none of Databricks’ own/,
    );
    assert.equal(outcomes(findings)['Sign-in'], 'failed');
    assert.equal(outcomes(findings)['Local credentials'], 'skipped');
  });

  it('says that nobody sits behind the address of the identity provider, or somebody else', async () => {
    const at = async (issuer: string) => {
      const identity = { ...trust.identity, issuer };
      const findings = await run({ transport: controlPlane({ configuration: { identity } }) });
      return findings.find(({ what }) => what === 'Identity provider');
    };
    assert.equal((await at('http://127.0.0.1:9'))?.outcome, 'failed');
    assert.deepEqual((await at('https://idp.example.com:port'))?.facts[0], 'wrong_issuer');
  });

  it('names a proxy without its password, and certificates that are not checked', async () => {
    const settings = { ...NO_PROXY.settings, 'http.proxy': 'http://ana:hunter22@proxy.example:3128' };
    const [proxy] = await run({
      proxy: { settings, environment: { HTTPS_PROXY: 'http://ana:hunter22@proxy.example:3128' } },
    });
    assert.equal(proxy?.outcome, 'ok');
    assert.match(proxy.facts.join(), /proxy\.example:3128/);
    assert.doesNotMatch(proxy.facts.join(), /hunter22/);
    const [unchecked] = await run({
      proxy: { settings, environment: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } },
    });
    assert.equal(unchecked?.outcome, 'failed');
    const [off] = await run({
      proxy: { settings: { ...settings, 'http.proxySupport': 'off' }, environment: {} },
    });
    assert.equal(off?.outcome, 'warning');
  });

  it('says that programs are refused', async () => {
    let asked = 0;
    const findings = await run({
      source: () => ({
        token: () => {
          asked += 1;
          if (asked === 1) return source().token();
          return Promise.reject(new OamError('session_expired', 'Your session has ended. Sign in again.'));
        },
      }),
    });
    assert.equal(outcomes(findings)['Local credentials'], 'failed');
  });

  describe('in a set-up that is broken prints what the documentation shows:', () => {
    /** Without what differs from run to run. */
    const printed = (findings: readonly Finding[]): string =>
      reportOf({ l10n: english, redactor }, ['Databricks ML OAM 1.2.3', 'VS Code 1.105.0'], findings)
        .replaceAll(/(127\.0\.0\.1|localhost):\d+/g, '$1:PORT')
        .replaceAll(/\b\d+ s (left|apart)/g, 'N s $1')
        .replaceAll(/a token of \d+ s/g, 'a token of N s')
        .trimEnd();
    const shows = async (heading: string, findings: readonly Finding[]): Promise<void> => {
      const text = printed(findings);
      const chapters = (await readFile('docs/diagnose.md', 'utf8')).split(/^## /m);
      const chapter = chapters.find((candidate) => candidate.startsWith(`${heading}\n`)) ?? '';
      const shown = /```text\n([^]*?)\n```/.exec(chapter)?.[1];
      assert.equal(shown, text, `docs/diagnose.md, ${heading}:\n${text}`);
    };

    it('the identity provider is down', async () => {
      idp.pause();
      try {
        await shows('The identity provider is down', await run());
      } finally {
        idp.resume();
      }
    });

    it('the clock is ten minutes ahead', async () => {
      await shows(
        'The clock is ten minutes ahead',
        await run({ clock: { nowMs: () => Date.now() + 10 * MINUTE_MS } }),
      );
    });

    it("the company's authority is not known to this machine", async () => {
      await using stack = new AsyncDisposableStack();
      const folder = await mkdtemp(path.join(tmpdir(), 'oam-ca-'));
      stack.defer(() => rm(folder, { recursive: true, force: true }));
      const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
      assert(key !== undefined && cert !== undefined);
      await promisify(execFile)('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...[
          '-subj',
          '/CN=localhost',
          '-addext',
          'subjectAltName=DNS:localhost',
          '-keyout',
          key,
          '-out',
          cert,
        ],
      ]);
      const server = createServer({ key: await readFile(key), cert: await readFile(cert) });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      stack.defer(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const identity = { ...trust.identity, issuer: `https://localhost:${port}` };
      const provider = (await run({ transport: controlPlane({ configuration: { identity } }) })).find(
        ({ what }) => what === 'Identity provider',
      );
      assert.match(provider?.words ?? '', /an authority that this machine does not know/);
      await shows(
        'The authority of the company is not known to this machine',
        await run({
          address: () => `https://localhost:${port}`,
          transport: axiosTransport(),
          state: () => ({ kind: 'signedOut', url: `https://localhost:${port}`, expired: false }),
          pinned: () => undefined,
        }),
      );
    });

    it('the control plane names a foreign workspace host', async () => {
      const foreign = { name: PROD.name, host: 'https://databricks.evil.example' };
      await shows(
        'The control plane names a foreign workspace host',
        await run({
          transport: controlPlane({ configuration: { workspaces: [foreign] } }),
          pinned: () => ({ ...trust, workspaces: [foreign] }),
          source: () => ({ token: () => assert.fail('The subject token was sent.') }),
        }),
      );
    });
  });

  it('says where the session is kept, what the company allows, and that it was over that', async () => {
    const limited = { ...trust, sessions: { idleMinutes: 30, absoluteHours: 8 } };
    const found = await run({
      place: () => 'keychain',
      state: () => ({ ...signedInState(), trust: limited }),
    });
    const facts = found.find(({ what }) => what === 'Sign-in')?.facts.join('\n') ?? '';
    assert.match(
      facts,
      /in the keychain, with oam\nends without use: after 30 min\nends in any case: after 8 h, \d+ s left/,
    );
    const reason = overLimit({ idleMinutes: 30 }, { beganAtMs: undefined, usedAtMs: 0 }, HOUR_MS);
    assert(reason !== undefined);
    const over = await run({
      place: () => 'window',
      state: () => ({ kind: 'signedOut', url: URL_OF_OAM, expired: true, reason }),
    });
    const signIn = over.find(({ what }) => what === 'Sign-in');
    assert.match(signIn?.words ?? '', /not used for a while\. Sign in again\. \(30 min\)/);
    assert.deepEqual(signIn?.facts, ['kept: until this window closes, for want of a keychain']);
  });

  it('ends at once when it is called off', async () => {
    const controller = new AbortController();
    const running = run({ transport: () => new Promise(() => undefined) }, controller.signal);
    controller.abort();
    await assert.rejects(running, { code: 'cancelled' });
  });
});
