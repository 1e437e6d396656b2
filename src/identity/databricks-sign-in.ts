import { randomBytes } from 'node:crypto';

import {
  beginUserSignIn,
  type BegunUserSignIn,
  createWorkspaceClient,
  DATABRICKS_CLI_CLIENT_ID,
  type RenewableToken,
  revokeUserToken,
  type UserSignInPlace,
  type WorkspaceClient,
} from '../databricks/index.ts';
import { hasCode, OamError } from '../domain/errors.ts';
import { SECOND_MS } from '../domain/time.ts';
import type { WorkspaceConfiguration } from '../protocol/configuration.ts';
import { type BrowserOptions, visitInBrowser } from './browser-answer.ts';
import type { CallbackPlace } from './callback-server.ts';
import { cancellable } from './cancellation.ts';
import type { SignInWorkspace } from './databricks-sign-ins.ts';

/** Who is to be signed in at Databricks: the person who is signed in here, and nobody else. */
export interface ExpectedPerson {
  /** The person's subject, as the control plane knows them. */
  readonly subject: string;
  /** The attribute of a Databricks user that equals the subject; it is the one by which grants are made, too. */
  readonly databricksAttribute: 'externalId' | 'userName';
}

/**
 * As which client people sign in at a workspace; undefined where their ID tokens are exchanged there, and where the
 * control plane does not name it at all.
 */
export function signInWorkspaceAt(
  workspaces: readonly WorkspaceConfiguration[],
  host: string,
): SignInWorkspace | undefined {
  const workspace = workspaces.find((candidate) => candidate.host === host);
  if (workspace?.tokenSource !== 'databricks-sign-in') return undefined;
  return { host, clientId: workspace.signInClient ?? DATABRICKS_CLI_CLIENT_ID };
}

/** Databricks' own client is let back to these ports of this machine; a company's own to the first one. */
const FIRST_PORT = 8020;
const LAST_PORT = 8040;

/** The ports to which Databricks lets the browser come back. Source: reference/databricks-auth.md §3. */
export function databricksCallbackPorts(clientId: string): readonly number[] {
  if (clientId !== DATABRICKS_CLI_CLIENT_ID) return [FIRST_PORT];
  return Array.from({ length: LAST_PORT - FIRST_PORT + 1 }, (_, index) => FIRST_PORT + index);
}

/**
 * Where Databricks sends the browser back to: `http://localhost:8020`, which is registered and cannot be chosen.
 *
 * @param origin where the port is reached from elsewhere; this machine's own unless given.
 */
export function databricksCallbackPlace(
  clientId: string,
  origin: CallbackPlace['origin'] = (port) => `http://localhost:${port}`,
): CallbackPlace {
  return { ports: databricksCallbackPorts(clientId), path: '/', origin };
}

/**
 * Signs a person in at a workspace itself (U2M), in a browser. Tokens of anybody else are thrown away.
 *
 * @throws {OamError} `databricks_other_person`, `databricks_person_unknown`; `databricks_sign_in_denied`,
 *   `databricks_sign_in_refused`, `databricks_sign_in_mixed_up`, `sign_in_timed_out`, `state_mismatch`,
 *   `untrusted_host`, `untrusted_token_endpoint`, those of the workspace client, and what `listen` throws.
 * @throws {CancelledError} when `signal` fired.
 */
export async function signInToDatabricks(
  place: UserSignInPlace,
  person: ExpectedPerson,
  options: BrowserOptions,
): Promise<RenewableToken> {
  const state = randomBytes(32).toString('base64url');
  let begun: BegunUserSignIn | undefined;
  return visitInBrowser(options, {
    state,
    async page(redirectUri) {
      begun = await beginUserSignIn(place, { redirectUri, state });
      return begun.address;
    },
    async take(answer, stop) {
      if (begun === undefined) throw new TypeError('The page was never opened.');
      const redeeming = begun.redeem(answer).then(async (token) => {
        try {
          await assertSamePerson(place, token, person, stop);
          return token;
        } catch (error) {
          await forget(place, token);
          throw error;
        }
      });
      try {
        return await cancellable(redeeming, stop);
      } catch (error) {
        // Tokens that come when it was called off are for nobody.
        if (stop.aborted) void redeeming.then((late) => forget(place, late)).catch(() => undefined);
        throw error;
      }
    },
  });
}

async function forget(place: UserSignInPlace, { refreshToken }: RenewableToken): Promise<void> {
  if (refreshToken !== undefined) await revokeUserToken(place, refreshToken);
}

type Directory = Pick<WorkspaceClient, 'me' | 'resolveUserByExternalId'>;

/** The person waits for this in front of a browser page. */
const PATIENCE_MS = 10 * SECOND_MS;

async function assertSamePerson(
  { host, transport }: UserSignInPlace,
  { accessToken }: RenewableToken,
  person: ExpectedPerson,
  signal: AbortSignal,
): Promise<void> {
  const client = createWorkspaceClient({
    host,
    token: () => Promise.resolve(accessToken),
    transport,
    retry: { giveUpAfterMs: PATIENCE_MS },
  });
  await assertIsPerson(client, person, signal);
}

/**
 * Holds a user of Databricks to a person. Names and e-mail addresses are given to people by others, change and are
 * given again, so that neither is believed: only the attribute by which the control plane finds the person too.
 * Where the workspace does not show the user's `externalId`, it is asked whose the subject is and has to name this
 * very user.
 *
 * @throws {OamError} `databricks_other_person`; `databricks_person_unknown` where Databricks cannot tell.
 */
export async function assertIsPerson(
  client: Directory,
  { subject, databricksAttribute }: ExpectedPerson,
  signal?: AbortSignal,
): Promise<void> {
  const options = signal && { signal };
  const me = await client.me(options);
  if (databricksAttribute === 'userName') {
    if (me.userName !== subject) throw otherPerson(me.userName);
    return;
  }
  if (me.externalId !== undefined && me.externalId !== '') {
    if (me.externalId !== subject) throw otherPerson(me.userName);
    return;
  }
  let resolved: { readonly id: string };
  try {
    resolved = await client.resolveUserByExternalId(subject, options);
  } catch (error) {
    const isRefused = ['databricks_not_found', 'databricks_permission_denied', 'databricks_rejected'].some(
      (code) => hasCode(error, code),
    );
    throw isRefused ? personUnknown(me.userName) : error;
  }
  if (resolved.id !== me.id) throw otherPerson(me.userName);
}

function otherPerson(userName: string): OamError {
  return new OamError(
    'databricks_other_person',
    'Somebody else signed in to Databricks than is signed in here, so that sign-in was thrown away. Sign out of Databricks in the browser, and sign in there as yourself.',
    { detail: userName },
  );
}

function personUnknown(userName: string): OamError {
  return new OamError(
    'databricks_person_unknown',
    'Databricks does not say who this user is in your company, so the sign-in was thrown away. Ask your administrator to provision users with their external id.',
    { detail: userName },
  );
}
