import assert from 'node:assert/strict';

import { hostTrust } from '../../../src/databricks/index.ts';
import { CancelledError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { Connection } from '../../../src/extension/connection/connection.ts';
import { PinBoard } from '../../../src/extension/connection/pinned-trust.ts';
import {
  type DiscoveredIdentityProvider,
  memoryAccountStores,
  processRefreshLock,
  signInWithDeviceCode,
  signInWithLoopback,
} from '../../../src/identity/index.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { approveDevice, logIn } from '../../../src/sandbox/identity-provider/headless-sign-in.ts';
import {
  PEOPLE,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { configurationOf, discover } from './sign-in.ts';

/** The identity provider takes requests and is silent: whoever calls a sign-in off does not wait for its time-out. */
describe('a sign-in that is called off while the identity provider is silent', () => {
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  /** Settles when the provider has forgotten what came too late. */
  let revoked: PromiseWithResolvers<undefined>;

  before(async () => {
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
  });
  after(() => idp.close());
  beforeEach(async () => {
    revoked = Promise.withResolvers();
    const known = await discover(idp);
    discovered = {
      ...known,
      library: {
        ...known.library,
        tokenRevocation: async (...asked) => {
          await known.library.tokenRevocation(...asked);
          revoked.resolve(undefined);
        },
      },
    };
  });
  afterEach(() => idp.resume());

  it('ends at once before anything of the provider is known', async () => {
    idp.stall('/.well-known/openid-configuration');
    const cancel = new AbortController();
    const configuration = {
      product: 'databricks-ml-oam',
      version: '1',
      identity: configurationOf(idp),
      workspaces: [],
    };
    const connection = new Connection({
      trust: () => hostTrust([]),
      address: () => 'https://oam.example.com',
      pins: new PinBoard({ get: () => undefined, update: () => Promise.resolve() }),
      stores: memoryAccountStores,
      lock: processRefreshLock,
      transport: () => {
        // By then the address of the provider is on its way, and the provider is asked next.
        setImmediate(() => cancel.abort());
        return Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(configuration) });
      },
      confirmChange: () => Promise.resolve(false),
      clock: { nowMs: () => Date.now() },
      logger: silentLogger,
      redactor: createRedactor(),
    });
    await connection.start();
    await assert.rejects(
      connection.signIn(() => assert.fail('nothing is performed'), cancel.signal),
      CancelledError,
    );
    assert.equal(connection.state.kind, 'signedOut');
  });

  it('ends at once when the browser has come back, and what comes later is forgotten at the provider', async () => {
    const cancel = new AbortController();
    const browser = createHeadlessBrowser();
    let shown: Promise<{ status: number }> | undefined;
    const signingIn = signInWithLoopback(
      {
        ...discovered,
        library: {
          ...discovered.library,
          authorizationCodeGrant: (...asked) => {
            setImmediate(() => cancel.abort());
            return discovered.library.authorizationCodeGrant(...asked);
          },
        },
      },
      {
        async openBrowser(url) {
          const page = await browser.open(url);
          idp.stall('/token');
          shown = logIn(browser, page, PEOPLE.ana);
        },
        signal: cancel.signal,
      },
    );
    await assert.rejects(signingIn, CancelledError);
    assert.equal((await shown)?.status, 400, 'the page does not say that somebody is signed in');
    idp.resume();
    await revoked.promise;
  });

  it('ends at once while a code is polled for, and what comes later is forgotten at the provider', async () => {
    const cancel = new AbortController();
    const polled = Promise.withResolvers<undefined>();
    const signingIn = signInWithDeviceCode(
      {
        ...discovered,
        library: {
          ...discovered.library,
          // The library looks at the signal between two polls only: this one is under way when it fires.
          pollDeviceAuthorizationGrant: (client, started, parameters) => {
            const asked = discovered.library.pollDeviceAuthorizationGrant(client, started, parameters);
            polled.resolve(undefined);
            return asked;
          },
        },
      },
      {
        onPrompt({ verificationUri, userCode }) {
          void approveDevice({ verificationUri, userCode, person: PEOPLE.ana })
            .then(() => polled.promise)
            .then(() => cancel.abort());
          idp.stall('/token');
        },
        signal: cancel.signal,
        clock: { nowMs: () => Date.now() },
      },
    );
    await assert.rejects(signingIn, CancelledError);
    idp.resume();
    await revoked.promise;
  });

  it('ends at once before there is a code', async () => {
    idp.stall('/device/auth');
    const cancel = new AbortController();
    const signingIn = signInWithDeviceCode(discovered, {
      onPrompt: () => assert.fail('there is no code'),
      signal: cancel.signal,
      clock: { nowMs: () => Date.now() },
    });
    cancel.abort();
    await assert.rejects(signingIn, CancelledError);
  });
});
