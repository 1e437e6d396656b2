import type { ClaimPath } from './claim-path.ts';

/** What is known beforehand of an identity provider's access tokens. */
export interface IdentityProfile {
  /** The claim that names a person for good. The editor reads it too, in the same token. */
  readonly subject: string;
  readonly userName: ClaimPath;
  readonly displayName: ClaimPath;
  readonly groups: ClaimPath;
  readonly duty: ClaimPath;
  /** Where a token says which client it was issued to. */
  readonly client: readonly string[];
  /** True where every token says so, so that one that does not is no access token of a person. */
  readonly namesClient: boolean;
  /** A list of groups of this length may have been cut off silently; undefined where the provider says so aloud. */
  readonly groupsCutAt: number | undefined;
  /** True where tokens never speak of groups: only the directory knows them. */
  readonly groupsElsewhere: boolean;
  /** The attribute of a Databricks user that equals the subject. */
  readonly databricksAttribute: 'externalId' | 'userName';
  /** The only scopes that a token may carry; undefined where scopes open no other door. */
  readonly scopes: readonly string[] | undefined;
}

/** OpenID Connect Core 1.0 §5.1, and the claims that most providers add alike. */
const STANDARD: IdentityProfile = {
  subject: 'sub',
  userName: ['preferred_username'],
  displayName: ['name'],
  groups: ['groups'],
  duty: ['duty'],
  client: ['azp', 'client_id'],
  namesClient: false,
  groupsCutAt: undefined,
  groupsElsewhere: false,
  databricksAttribute: 'externalId',
  scopes: undefined,
};

/** The identity providers that are known, by the shapes of their access tokens. */
export const IDENTITY_PROFILES = {
  oidc: STANDARD,
  keycloak: { ...STANDARD, client: ['azp'], namesClient: true },
  // Custom authorization servers: `sub` is the login, which can change hands; `uid` is the user's id, which is the ID
  // token's `sub` and what Okta provisions to Databricks as externalId.
  okta: {
    ...STANDARD,
    subject: 'uid',
    userName: ['sub'],
    displayName: ['name'],
    client: ['cid'],
    namesClient: true,
    groupsCutAt: 100,
  },
  // `sub` differs between the applications of one tenant; `oid` is the person's everywhere in it, and the issuer names
  // the tenant.
  entra: {
    ...STANDARD,
    subject: 'oid',
    duty: ['roles'],
    client: ['azp', 'appid'],
    namesClient: true,
  },
  // Its subjects are the names of its own users, and its tokens open its APIs unless their scopes open nothing.
  databricks: {
    ...STANDARD,
    userName: ['sub'],
    displayName: ['sub'],
    client: ['client_id', 'azp'],
    namesClient: true,
    groupsElsewhere: true,
    databricksAttribute: 'userName',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
  },
} as const satisfies Record<string, IdentityProfile>;

/** The name of a profile. */
export type IdentityProfileName = keyof typeof IDENTITY_PROFILES;

/** The names, for schemas. */
export const IDENTITY_PROFILE_NAMES = ['oidc', 'keycloak', 'okta', 'entra', 'databricks'] as const;
