import {
  discoverIdentityProvider,
  signInWithLoopback,
  type DiscoveredIdentityProvider,
  type IdentityConfiguration,
  type Session,
} from '../../../src/identity/index.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { logIn } from '../../../src/sandbox/identity-provider/headless-sign-in.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  type Person,
} from '../../../src/sandbox/identity-provider/index.ts';

export function configurationOf(
  idp: { readonly issuer: string },
  changes: Partial<IdentityConfiguration> = {},
): IdentityConfiguration {
  return {
    issuer: idp.issuer,
    clientId: EDITOR_CLIENT_ID,
    audience: OAM_AUDIENCE,
    scopes: [...EDITOR_SCOPES],
    ...changes,
  };
}

export function discover(
  idp: { readonly issuer: string },
  changes: Partial<IdentityConfiguration> = {},
): Promise<DiscoveredIdentityProvider> {
  return discoverIdentityProvider(configurationOf(idp, changes));
}

/** Signs in by the loopback flow, which needs no polling, with a browser of its own. */
export async function signIn(discovered: DiscoveredIdentityProvider, person: Person): Promise<Session> {
  const browser = createHeadlessBrowser();
  return signInWithLoopback(discovered, {
    async openBrowser(url) {
      await logIn(browser, await browser.open(url), person);
    },
  });
}

/** The claims of a token, for assertions. */
export function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ''] = token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
}
