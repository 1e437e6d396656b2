import type { DeviceAuthorizationResponse } from 'openid-client';

import { CancelledError, OamError } from '../domain/errors.ts';
import { SECOND_MS, type Clock, type EpochMs } from '../domain/time.ts';
import { cancellable } from './cancellation.ts';
import { isSafeAddress, resourceParameter } from './configuration.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import { asIdentityFailure, isUnavailable, signInTimedOut, wrongIssuer } from './failures.ts';
import { whileWanted } from './granting.ts';
import { receivedTokens } from './received-tokens.ts';
import type { Session } from './session.ts';
import { sessionOf } from './tokens.ts';

/** What the person needs to finish the sign-in in a browser, on any machine. */
export interface DeviceCodePrompt {
  /** To be typed or compared there. */
  readonly userCode: string;
  readonly verificationUri: string;
  /** The same page with the code filled in, where the provider offers it. */
  readonly verificationUriComplete?: string;
  readonly expiresAtMs: EpochMs;
}

/** How to sign in with a device code. */
export interface DeviceCodeOptions {
  onPrompt(prompt: DeviceCodePrompt): void;
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
}

/** A provider that is away for a moment does not end a sign-in; one that stays away does. */
const MAX_FAILED_POLLS = 5;

/**
 * Signs in by the device authorization grant (RFC 8628): the person finishes in a browser, anywhere.
 *
 * @throws {OamError} `sign_in_denied`, `sign_in_timed_out`, `identity_provider_unavailable`,
 *   `identity_provider_refused`, `flow_unsupported`, `wrong_issuer`, `wrong_audience`.
 * @throws {CancelledError} when `signal` fired.
 */
export async function signInWithDeviceCode(
  idp: DiscoveredIdentityProvider,
  options: DeviceCodeOptions,
): Promise<Session> {
  const { configuration, client, library } = idp;
  if (client.serverMetadata().device_authorization_endpoint === undefined) {
    throw new OamError(
      'flow_unsupported',
      'The identity provider does not offer sign-in by code. Sign in from VS Code on this machine instead.',
    );
  }
  try {
    const started = await cancellable(
      library.initiateDeviceAuthorization(client, {
        scope: configuration.scopes.join(' '),
        ...resourceParameter(configuration),
      }),
      options.signal,
    );
    options.onPrompt(promptOf(started, options.clock));
    // The library looks at the signal only between two polls, and those may be seconds apart.
    const tokens = await whileWanted(idp, poll(idp, started, options.signal), options.signal);
    return sessionOf(configuration, receivedTokens(tokens));
  } catch (error) {
    throw asIdentityFailure(library, error, 'device-code');
  }
}

type TokenAnswer = Awaited<ReturnType<DiscoveredIdentityProvider['library']['pollDeviceAuthorizationGrant']>>;

async function poll(
  idp: DiscoveredIdentityProvider,
  started: DeviceAuthorizationResponse,
  signal: AbortSignal | undefined,
): Promise<TokenAnswer> {
  const deadline = AbortSignal.timeout(started.expires_in * SECOND_MS);
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
  let failedPolls = 0;
  for (;;) {
    try {
      return await idp.library.pollDeviceAuthorizationGrant(
        idp.client,
        started,
        resourceParameter(idp.configuration),
        { signal: stop },
      );
    } catch (error) {
      if (signal?.aborted) throw new CancelledError();
      if (deadline.aborted) throw signInTimedOut();
      const failure = asIdentityFailure(idp.library, error, 'device-code');
      failedPolls += 1;
      // The next round waits the provider's interval before it asks again.
      if (!isUnavailable(failure) || failedPolls >= MAX_FAILED_POLLS) throw failure;
    }
  }
}

function promptOf(started: DeviceAuthorizationResponse, clock: Clock): DeviceCodePrompt {
  const complete = started.verification_uri_complete;
  return {
    userCode: started.user_code,
    verificationUri: pageAddress(started.verification_uri),
    ...(complete !== undefined && { verificationUriComplete: pageAddress(complete) }),
    expiresAtMs: clock.nowMs() + started.expires_in * SECOND_MS,
  };
}

/** The address will be opened by the person's system, which knows more schemes than a sign-in should. */
function pageAddress(address: string): string {
  if (!URL.canParse(address) || !isSafeAddress(new URL(address))) {
    throw wrongIssuer('the page for the code is not an https address');
  }
  return address;
}
