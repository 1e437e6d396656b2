import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';

import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import { signInWithDeviceCode, type DeviceCodePrompt, type Session } from '../../../src/identity/index.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import {
  approveDevice,
  PEOPLE,
  signInHeadless,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { claimsOf, discover } from './sign-in.ts';

const clock = { nowMs: () => Date.now() };

describe('sign-in with a device code', function () {
  this.timeout(15_000);
  let idp: RunningIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
  });
  after(() => idp.close());

  /** Starts the flow and hands over the prompt as soon as it is there. */
  async function start(
    signal?: AbortSignal,
    at: RunningIdentityProvider = idp,
  ): Promise<{ prompt: DeviceCodePrompt; session: Promise<Session> }> {
    const discovered = await discover(at);
    const prompted = Promise.withResolvers<DeviceCodePrompt>();
    const session = signInWithDeviceCode(discovered, { onPrompt: prompted.resolve, signal, clock });
    session.catch(prompted.reject);
    return { prompt: await prompted.promise, session };
  }

  it('brings who it is and two tokens, each for its own door', async () => {
    const session = await signInHeadless(PEOPLE.ana, idp);

    assert.equal(session.subject, PEOPLE.ana.sub);
    assert.equal(session.userName, PEOPLE.ana.userName);
    assert.equal(session.displayName, 'Ana Silva');
    assert.equal(session.issuer, idp.issuer);
    const access = claimsOf(session.accessToken);
    const id = claimsOf(session.idToken);
    assert.equal(access['aud'], 'urn:oam:control-plane');
    assert.equal(id['aud'], 'oam-editor');
    for (const claims of [access, id]) {
      assert.equal(claims['email'], PEOPLE.ana.userName);
      assert.deepEqual(claims['groups'], ['ml-recsys']);
      assert.equal(claims['duty'], 'data-scientist');
    }
    assert.equal(session.accessTokenExpiresAtMs, Number(access['exp']) * 1000);
    assert.equal(session.idTokenExpiresAtMs, Number(id['exp']) * 1000);
  });

  it('also through the address with the code filled in', async () => {
    const { prompt, session } = await start();
    assert.ok(prompt.verificationUriComplete);
    assert.ok(prompt.expiresAtMs > Date.now());
    const browser = createHeadlessBrowser();
    const confirmation = await browser.open(prompt.verificationUriComplete);
    assert.ok(confirmation.html.includes(prompt.userCode), 'the code is shown for comparison');
    const login = await browser.submit(confirmation, {}, 'confirm=yes');
    const { userName, password } = PEOPLE.lena;
    await browser.submit(login, { username: userName, password }, 'do=login');
    assert.equal((await session).subject, PEOPLE.lena.sub);
  });

  it('says so when the person says no to the code', async () => {
    const { prompt, session } = await start();
    const browser = createHeadlessBrowser();
    const confirmation = await browser.submit(await browser.open(prompt.verificationUri), {
      user_code: prompt.userCode,
    });
    const refused = await browser.submit(confirmation, {}, 'abort=yes');
    assert.match(refused.html, /Nobody was let in/);
    await assert.rejects(
      session,
      (error) => hasCode(error, 'sign_in_denied') && error.sentence.includes('does not allow'),
    );
  });

  it('says so when the person cancels at the login page', async () => {
    const { prompt, session } = await start();
    const browser = createHeadlessBrowser();
    const entry = await browser.open(prompt.verificationUri);
    const confirmation = await browser.submit(entry, { user_code: prompt.userCode.toLowerCase() });
    const login = await browser.submit(confirmation, {}, 'confirm=yes');
    await browser.submit(login, {}, 'do=cancel');
    await assert.rejects(session, (error) => hasCode(error, 'sign_in_denied'));
  });

  it('gives up when nobody comes, and the page says why', async () => {
    const hasty = await startIdentityProvider({ deviceCodeSeconds: 1 });
    try {
      const { prompt, session } = await start(undefined, hasty);
      await assert.rejects(session, (error) => hasCode(error, 'sign_in_timed_out'));
      await assert.rejects(
        approveDevice({ ...prompt, person: PEOPLE.ana }),
        'an expired code must not lead to a sign-in',
      );
    } finally {
      await hasty.close();
    }
  });

  it('is cancelled silently, at once', async () => {
    const patient = await startIdentityProvider({ devicePollSeconds: 30 });
    try {
      const cancel = new AbortController();
      const { session } = await start(cancel.signal, patient);
      const cancelledAtMs = Date.now();
      cancel.abort();
      await assert.rejects(session, CancelledError);
      assert.ok(Date.now() - cancelledAtMs < 5_000, 'without waiting for the next poll');
    } finally {
      await patient.close();
    }
  });

  it('goes on when the provider is away for a moment', async () => {
    const { prompt, session } = await start();
    await approveDevice({ ...prompt, person: PEOPLE.omar });
    idp.pause();
    while (idp.refusedRequests() === 0) await setTimeout(20);
    idp.resume();
    assert.equal((await session).subject, PEOPLE.omar.sub);
  });

  it('refuses to start while the provider is down', async () => {
    const discovered = await discover(idp);
    idp.pause();
    try {
      await assert.rejects(
        signInWithDeviceCode(discovered, { onPrompt: () => assert.fail('there is no code'), clock }),
        (error) => hasCode(error, 'identity_provider_unavailable'),
      );
    } finally {
      idp.resume();
    }
  });
});
