import type { TokenEndpointResponse } from 'openid-client';

import { OamError } from '../domain/errors.ts';
import type { ReceivedTokens } from './tokens.ts';

/**
 * The tokens of an answer. A refresh may bring no new ID token or refresh token; then the former ones stay.
 *
 * @throws {OamError} `identity_provider_refused` where there is no ID token at all.
 */
export function receivedTokens(
  answer: TokenEndpointResponse,
  former?: { readonly idToken: string; readonly refreshToken?: string | undefined },
): ReceivedTokens {
  const idToken = answer.id_token ?? former?.idToken;
  if (idToken === undefined) {
    throw new OamError(
      'identity_provider_refused',
      'The identity provider gave no ID token. Ask the administrator of OAM to add the scope openid.',
    );
  }
  return {
    accessToken: answer.access_token,
    idToken,
    refreshToken: answer.refresh_token ?? former?.refreshToken,
  };
}
