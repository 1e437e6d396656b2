import { discoverIdentityProvider, signInWithDeviceCode, type Session } from '../../identity/index.ts';
import { createHeadlessBrowser, type HeadlessBrowser, type Page } from './headless-browser.ts';
import { EDITOR_CLIENT_ID, EDITOR_SCOPES, OAM_AUDIENCE, type Person } from './people.ts';

/** Says yes in the browser to a device that waits, by the provider's own pages: code, confirmation, sign-in. */
export async function approveDevice(o: {
  readonly verificationUri: string;
  readonly userCode: string;
  readonly person: Pick<Person, 'userName' | 'password'>;
  /** One that is signed in already is asked to continue; a new one unless told. */
  readonly browser?: HeadlessBrowser;
}): Promise<void> {
  const browser = o.browser ?? createHeadlessBrowser();
  const entry = await browser.open(o.verificationUri);
  const confirmation = await browser.submit(entry, { user_code: o.userCode });
  const question = await browser.submit(confirmation, {}, 'confirm=yes');
  const done = question.html.includes('value="continue"')
    ? await browser.submit(question, {}, 'do=continue')
    : await logIn(browser, question, o.person);
  if (!done.html.includes('You are signed in')) {
    throw new Error(`The sign-in did not end well: ${done.url}, status ${done.status}`);
  }
}

/** Fills in the login page. */
export function logIn(
  browser: HeadlessBrowser,
  page: Page,
  person: Pick<Person, 'userName' | 'password'>,
): Promise<Page> {
  return browser.submit(page, { username: person.userName, password: person.password }, 'do=login');
}

/**
 * Signs a person of the sandbox in, for suites that need a session and have no browser: the product's own device flow
 * against the provider's real pages. It takes a little more than the provider's polling interval.
 *
 * @example
 * ```ts
 * const session = await signInHeadless(PEOPLE.ana, idp);
 * ```
 */
export async function signInHeadless(
  person: Pick<Person, 'userName' | 'password'>,
  idp: { readonly issuer: string },
): Promise<Session> {
  const discovered = await discoverIdentityProvider({
    issuer: idp.issuer,
    clientId: EDITOR_CLIENT_ID,
    audience: OAM_AUDIENCE,
    scopes: [...EDITOR_SCOPES],
  });
  const stop = new AbortController();
  let approval: Promise<void> = Promise.resolve();
  const session = signInWithDeviceCode(discovered, {
    clock: { nowMs: () => Date.now() },
    signal: stop.signal,
    onPrompt({ verificationUri, userCode }) {
      approval = approveDevice({ verificationUri, userCode, person }).catch((error: unknown) => {
        stop.abort();
        throw error;
      });
      // Awaited below; a failure there must not count as unhandled until then.
      approval.catch(() => undefined);
    },
  });
  try {
    return await session;
  } finally {
    await approval;
  }
}
