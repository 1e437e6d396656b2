import type { Configuration } from 'openid-client';

import { SECOND_MS } from '../domain/time.ts';
import { isSafeAddress, type IdentityConfiguration } from './configuration.ts';
import { asIdentityFailure, wrongIssuer, type OidcLibrary } from './failures.ts';
import { assertTwoAudiences } from './tokens.ts';

/** An identity provider whose metadata has been read and found to be the configured one's. */
export interface DiscoveredIdentityProvider {
  readonly configuration: IdentityConfiguration;
  /** The protocol library's view of it. */
  readonly client: Configuration;
  readonly library: OidcLibrary;
}

/** How discovery is done. */
export interface DiscoveryOptions {
  /** The longest that one exchange with the provider may take, now and later, in milliseconds; 15 seconds unless told. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 15 * SECOND_MS;

const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'device_authorization_endpoint',
  'revocation_endpoint',
  'jwks_uri',
] as const;

/**
 * Reads the metadata of the configured identity provider. Plain http is accepted on the loopback interface only,
 * redirects are not followed, and the signatures of ID tokens will be checked against its keys.
 *
 * @throws {OamError} `wrong_issuer` where somebody else answers, or the address is not safe.
 * @throws {OamError} `wrong_audience` where one token would open both doors.
 * @throws {OamError} `identity_provider_unavailable` where nobody answers.
 *
 * @example
 * ```ts
 * const idp = await discoverIdentityProvider(configuration.identity);
 * const session = await signInWithDeviceCode(idp, { onPrompt: show, clock });
 * ```
 */
export async function discoverIdentityProvider(
  configuration: IdentityConfiguration,
  options: DiscoveryOptions = {},
): Promise<DiscoveredIdentityProvider> {
  assertTwoAudiences(configuration);
  if (!URL.canParse(configuration.issuer) || !isSafeAddress(new URL(configuration.issuer))) {
    throw wrongIssuer(`not an https address: ${configuration.issuer}`);
  }
  const issuer = new URL(configuration.issuer);
  // Loaded here and not with the module: it would otherwise be part of every start of the editor.
  const library = await import('openid-client');
  try {
    const client = await library.discovery(
      issuer,
      configuration.clientId,
      { token_endpoint_auth_method: 'none' },
      library.None(),
      {
        timeout: (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / SECOND_MS,
        execute: [
          ...(issuer.protocol === 'http:' ? [allowPlainHttp(library)] : []),
          library.enableNonRepudiationChecks,
        ],
      },
    );
    const metadata = client.serverMetadata();
    for (const name of ENDPOINTS) {
      const address = metadata[name];
      if (typeof address === 'string' && !(URL.canParse(address) && isSafeAddress(new URL(address)))) {
        throw wrongIssuer(`${name} is not an https address`);
      }
    }
    return { configuration, client, library };
  } catch (error) {
    throw asIdentityFailure(library, error, 'discovery');
  }
}

/** The library marks the switch as deprecated to make it stand out; the address was held to the loopback interface above. */
function allowPlainHttp(library: OidcLibrary): (client: Configuration) => void {
  return library.allowInsecureRequests;
}
