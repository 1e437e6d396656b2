import { createHash } from 'node:crypto';

import { EDITOR_CLIENT_ID, type Person } from './people.ts';

/** Whose access tokens the sandbox issues: its own, or those of a known provider. */
export type Played = 'oidc' | 'keycloak' | 'okta' | 'entra' | 'databricks';

type Claims = Readonly<Record<string, unknown>>;

/** The claims that every provider sets in the same way. */
const COMMON = ['iss', 'aud', 'iat', 'exp', 'jti'];

const TENANT = '1b6e2c9a-7b1f-4d0e-9a5d-3f2c1e0d9b8a';

/**
 * An access token's claims as a known provider would have set them.
 *
 * @param claims the sandbox's own, of which the provider's are made.
 */
export function claimsAsPlayed(played: Played, claims: Claims, person: Person): Claims {
  const common = Object.fromEntries(COMMON.map((name) => [name, claims[name]]));
  const scope = typeof claims['scope'] === 'string' ? claims['scope'] : '';
  // An overflow is said by a claim of its own, which goes along.
  const { groups, duty, _claim_names, _claim_sources } = claims;
  const membership = groups === undefined ? { _claim_names, _claim_sources } : { groups };
  switch (played) {
    case 'oidc':
      return claims;
    case 'keycloak':
      return {
        ...{
          ...common,
          ...membership,
          sub: person.sub,
          typ: 'Bearer',
          azp: EDITOR_CLIENT_ID,
          acr: '1',
          scope,
        },
        ...{ sid: opaque('sid', person.sub), email_verified: true, email: person.userName },
        ...{ preferred_username: person.userName, name: person.displayName, duty },
      };
    case 'okta':
      return {
        ...{ ...common, ...membership, ver: 1, cid: EDITOR_CLIENT_ID, uid: person.sub, sub: person.userName },
        ...{ scp: scope.split(' ').filter((word) => word !== ''), auth_time: claims['iat'], duty },
      };
    case 'entra':
      return {
        ...{ ...common, ...membership, ver: '2.0', nbf: claims['iat'], tid: TENANT, scp: 'access' },
        ...{ azp: EDITOR_CLIENT_ID, azpacr: '0', oid: person.sub, sub: opaque('pairwise', person.sub) },
        ...{ preferred_username: person.userName, name: person.displayName, roles: [duty] },
      };
    case 'databricks':
      return {
        ...{ ...common, client_id: EDITOR_CLIENT_ID, sub: person.userName },
        scope: 'openid profile email offline_access',
      };
  }
}

function opaque(purpose: string, sub: string): string {
  return createHash('sha256').update(`${purpose}:${sub}`).digest('base64url').slice(0, 32);
}
