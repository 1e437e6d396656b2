import * as z from 'zod/mini';

import type { Endpoint } from './endpoint.ts';
import { ById, clientText, Timestamp } from './schemas.ts';

const CREDENTIAL = {
  leaseId: z.string(),
  grantId: z.string(),
  host: z.string(),
  /** From when a token must not be used any more; never after the grant's end. */
  expiresAt: Timestamp,
};

/**
 * What to work with under a grant. Never stored: a replay names the same lease and mints afresh. A `bearer` is a token
 * of the role's service principal; with an `assumption` the holder asks the workspace for one of their own. A
 * `personal_token` is one of the service principal's too, which lives as long as the grant and is deleted at its end.
 */
export const CredentialView = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('bearer'),
    ...CREDENTIAL,
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
  }),
  z.object({
    kind: z.literal('assumption'),
    ...CREDENTIAL,
    /** The group whose rights the token is to have in the place of the holder's own. */
    assumeGroup: z.string(),
  }),
  z.object({
    kind: z.literal('personal_token'),
    ...CREDENTIAL,
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    /** What it exposes, in a sentence for whoever puts it anywhere. */
    warning: z.string(),
  }),
]);
/** See {@link CredentialView}. */
export type CredentialView = z.infer<typeof CredentialView>;

/** Tells the sign-ins of one person apart, and says nothing of them. */
const SignIn = clientText(100, 16);

/** The operations that hand out what to work with, and take it back. */
export const credentialEndpoints = {
  issueCredential: {
    method: 'POST',
    path: '/api/v1/grants/{id}/credential',
    summary: 'What to work with under a grant, for its own principal: a token, or a group to assume',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: z.object({
      /** The sign-in that it is for: it is given back with `returnCredentials` when that is over. */
      session: z.optional(SignIn),
    }),
    response: CredentialView,
    refusals: [
      'not_found',
      'not_allowed',
      'grant_not_active',
      'sign_in_again',
      'too_many_credentials',
      'role_unavailable',
      'databricks_unavailable',
      'audit_unavailable',
    ],
    successStatus: 200,
    carriesCredential: true,
  },
  returnCredentials: {
    method: 'POST',
    path: '/api/v1/credentials/return',
    summary: 'Give back what a sign-in of the caller was issued and Databricks can take back, as it is over',
    auth: 'bearer',
    params: z.object({}),
    query: z.object({}),
    body: z.object({ session: SignIn }),
    response: z.object({
      /** How many leases are given back by this call. */
      returned: z.int(),
    }),
    refusals: [],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
