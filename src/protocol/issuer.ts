import * as z from 'zod/mini';

import type { Endpoint } from './endpoint.ts';
import { clientText, Timestamp } from './schemas.ts';

/** A public signing key of OAM's, with its place in the rotation. */
export const SigningKeyView = z.object({
  kid: z.string(),
  /** `next` is published and signs later; `retired` is published for what it has signed. */
  state: z.enum(['next', 'current', 'retired']),
  publishedAt: Timestamp,
  activatedAt: z.nullable(Timestamp),
  /** When a `next` key begins to sign; null where a person must say that the policies have it. */
  activatesAt: z.nullable(Timestamp),
  retiredAt: z.nullable(Timestamp),
  publishedUntil: z.nullable(Timestamp),
});
/** See {@link SigningKeyView}. */
export type SigningKeyView = z.infer<typeof SigningKeyView>;

/** The federation policy that an account admin registers for a role's service principal, and never account-wide. */
export const FederationPolicyView = z.object({
  roleId: z.string(),
  servicePrincipal: z.object({ id: z.string(), applicationId: z.string() }),
  /** The body of `POST …/servicePrincipals/{id}/federationPolicies`, in Databricks' own words. */
  policy: z.object({
    oidc_policy: z.object({
      issuer: z.string(),
      audiences: z.array(z.string()),
      subject_claim: z.literal('oam_role'),
      subject: z.string(),
      /** All keys, where Databricks cannot reach the issuer; to be set anew before a `next` key signs. */
      jwks_json: z.optional(z.string()),
    }),
  }),
});
/** See {@link FederationPolicyView}. */
export type FederationPolicyView = z.infer<typeof FederationPolicyView>;

/** OAM as an issuer of tokens for roles. */
export const IssuerView = z.object({
  url: z.string(),
  /** Where the policies find the keys: at the issuer's address, or as a copy in each policy. */
  policyKeys: z.enum(['discovery', 'jwks_json']),
  keys: z.array(SigningKeyView),
  policies: z.array(FederationPolicyView),
});
/** See {@link IssuerView}. */
export type IssuerView = z.infer<typeof IssuerView>;

/** How the keys are changed. */
export const RotateKeysBody = z.object({
  /**
   * `begin`: a new key is published and signs once it is known. `complete`: the policies have the next key, so that it
   * may sign now. `replace`: strangers may have the keys, so that none of them is published any more.
   */
  step: z.enum(['begin', 'complete', 'replace']),
  reason: clientText(1_000, 1),
});
/** See {@link RotateKeysBody}. */
export type RotateKeysBody = z.infer<typeof RotateKeysBody>;

const None = z.object({});

/** The operations on OAM as an issuer. */
export const issuerEndpoints = {
  getIssuer: {
    method: 'GET',
    path: '/api/v1/issuer',
    summary: "OAM's signing keys, and the federation policies that trust them (operators, auditors)",
    auth: 'bearer',
    params: None,
    query: None,
    body: undefined,
    response: IssuerView,
    refusals: ['not_allowed', 'groups_overflowed'],
    successStatus: 200,
  },
  rotateKeys: {
    method: 'POST',
    path: '/api/v1/issuer/rotate',
    summary: "Change OAM's signing keys (operators)",
    auth: 'bearer',
    params: None,
    query: None,
    body: RotateKeysBody,
    response: IssuerView,
    refusals: ['not_allowed', 'groups_overflowed', 'precondition_failed', 'audit_unavailable'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
