import * as z from 'zod/mini';

import { DUTIES, type Duty } from '../../domain/principal.ts';
import { AttributeName } from '../catalogue/schema.ts';
import { faultOfServerAddress } from '../configuration/origin.ts';
import { EnvironmentName } from '../configuration/secret.ts';
import type { GraphAccess } from '../directory/graph-groups.ts';
import type { ClaimPath } from './claim-path.ts';
import { IDENTITY_PROFILE_NAMES, IDENTITY_PROFILES, type IdentityProfile } from './identity-profiles.ts';

const Text = z.string().check(z.minLength(1));

/** A claim's name, or the names on the way to it. */
const Place = z.pipe(
  z.union([Text, z.array(Text).check(z.minLength(1))]),
  z.transform((place) => (typeof place === 'string' ? [place] : place)),
);

const DEFAULT_GRAPH_URL = 'https://graph.microsoft.com';

const Graph = z.strictObject({
  tokenUrl: Text,
  url: z._default(Text, DEFAULT_GRAPH_URL),
  clientId: Text,
  clientSecretEnv: EnvironmentName,
});

const Values = z.array(Text).check(z.minLength(1));

/** `identity:` of the configuration as a person writes it. */
export const IdentitySettings = z.strictObject({
  issuer: Text,
  profile: z._default(z.enum(IDENTITY_PROFILE_NAMES), 'oidc'),
  clientId: Text,
  otherClientIds: z._default(z.array(Text), []),
  audience: Text,
  scopes: z._default(z.array(Text), ['openid', 'profile', 'email', 'groups', 'offline_access']),
  claims: z._default(
    z.strictObject({
      subject: z.optional(Text),
      userName: z.optional(Place),
      displayName: z.optional(Place),
      groups: z.optional(Place),
      duty: z.optional(Place),
      attributes: z.optional(z.record(AttributeName, Place)),
    }),
    {},
  ),
  duties: z._default(
    z.strictObject({
      'data-scientist': z.optional(Values),
      'ops-engineer': z.optional(Values),
      auditor: z.optional(Values),
      lead: z.optional(Values),
    }),
    {},
  ),
  graph: z.optional(Graph),
});

/** See {@link IdentitySettings}. */
export type IdentitySettings = z.infer<typeof IdentitySettings>;

/** How the tokens of the identity provider are read. */
export interface IdentityTrust {
  readonly issuer: string;
  /** The public client of the editor and the command line. */
  readonly clientId: string;
  /** The clients whose access tokens are taken, the one above among them. */
  readonly clientIds: readonly string[];
  /** The audience of access tokens for this control plane. Never a client's id: see {@link faultsOfIdentity}. */
  readonly audience: string;
  readonly scopes: readonly string[];
  /** Where claims stand, and what is known beforehand of the provider. */
  readonly claims: IdentityProfile;
  /** Where the attributes stand that rules and stages may speak of, by their names. */
  readonly attributes: Readonly<Record<string, ClaimPath>>;
  /** The values of the claim `duty` that mean each duty. */
  readonly duties: ReadonlyMap<string, Duty>;
  /** Where lists of groups are completed that were too long for a token; undefined where they are not. */
  readonly graph: (GraphAccess & { readonly clientSecretEnv: string }) | undefined;
}

/** What the settings mean, with the profile's word where they are silent. */
export function toIdentityTrust(settings: IdentitySettings): IdentityTrust {
  const profile: IdentityProfile = IDENTITY_PROFILES[settings.profile];
  const { claims } = settings;
  const groupsSaid = claims.groups !== undefined;
  return {
    issuer: settings.issuer,
    clientId: settings.clientId,
    clientIds: [settings.clientId, ...settings.otherClientIds],
    audience: settings.audience,
    scopes: settings.scopes,
    claims: {
      ...profile,
      subject: claims.subject ?? profile.subject,
      userName: claims.userName ?? profile.userName,
      displayName: claims.displayName ?? profile.displayName,
      groups: claims.groups ?? profile.groups,
      duty: claims.duty ?? profile.duty,
      groupsElsewhere: profile.groupsElsewhere && !groupsSaid,
    },
    attributes: claims.attributes ?? {},
    duties: new Map(
      DUTIES.flatMap((duty) => (settings.duties[duty] ?? [duty]).map((value) => [value, duty] as const)),
    ),
    graph: settings.graph,
  };
}

/** Something wrong with the settings: where, and what. */
export type IdentityFault = readonly [place: readonly string[], message: string];

/** What the schema cannot say: one token must never pass at two doors, and a value means one duty. */
export function faultsOfIdentity(settings: IdentitySettings, accountId: string): IdentityFault[] {
  const faults: IdentityFault[] = [];
  const { audience, clientId, otherClientIds, profile } = settings;
  if (audience === clientId || otherClientIds.includes(audience)) {
    faults.push([
      ['audience'],
      "must differ from 'identity.clientId': else a person's ID token, which is for Databricks, would open OAM as well. Register an audience (API, resource) of its own for OAM.",
    ]);
  }
  // Databricks' own tokens have no other audience; there the scopes keep the doors apart.
  if (audience === accountId && profile !== 'databricks') {
    faults.push([
      ['audience'],
      'must differ from the Databricks account id: else one token would pass for OAM and for Databricks.',
    ]);
  }
  if (settings.graph !== undefined) {
    if (profile !== 'entra') {
      faults.push([
        ['graph'],
        "is for 'profile: entra' only: Microsoft Graph knows people by their object ids.",
      ]);
    }
    for (const name of ['tokenUrl', 'url'] as const) {
      const fault = faultOfServerAddress(settings.graph[name]);
      if (fault !== undefined) faults.push([['graph', name], fault]);
    }
  }
  const known = IDENTITY_PROFILES[profile].scopes;
  const open = known && settings.scopes.find((scope) => !known.some((allowed) => allowed === scope));
  if (open !== undefined) {
    faults.push([
      ['scopes'],
      `may hold nothing but ${known?.join(', ')} where Databricks is the identity provider: else the tokens would open Databricks as well. Take out '${open}'.`,
    ]);
  }
  const meanings = new Map<string, Duty>();
  for (const duty of DUTIES) {
    for (const value of settings.duties[duty] ?? [duty]) {
      const other = meanings.get(value);
      if (other !== undefined && other !== duty) {
        faults.push([['duties', duty], `has '${value}', which means '${other}' already.`]);
      }
      meanings.set(value, duty);
    }
  }
  return faults;
}
