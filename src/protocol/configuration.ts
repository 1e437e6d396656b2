import * as z from 'zod/mini';

import { TOKEN_SOURCES } from '../domain/role.ts';
import type { Endpoint } from './endpoint.ts';

/** How long a company lets a session last. */
export const SessionLimits = z.object({
  /** It ends when the person did nothing for so long. */
  idleMinutes: z.optional(z.int()),
  /** It ends so long after the person showed who they are. */
  absoluteHours: z.optional(z.int()),
});
/** See {@link SessionLimits}. */
export type SessionLimits = z.infer<typeof SessionLimits>;

/** The attributes of a Databricks user by which a person of the identity provider is found. */
export const DATABRICKS_ATTRIBUTES = ['externalId', 'userName'] as const;

/** A workspace, and where people's own tokens for it come from. */
export const WorkspaceConfiguration = z.object({
  name: z.string(),
  host: z.string(),
  /** `exchange` where it is left out. */
  tokenSource: z.optional(z.enum(TOKEN_SOURCES)),
  /** The public client of the sign-in, for `databricks-sign-in`; Databricks' own where it is left out. */
  signInClient: z.optional(z.string()),
});
/** See {@link WorkspaceConfiguration}. */
export type WorkspaceConfiguration = z.infer<typeof WorkspaceConfiguration>;

/** Whom people sign in with, and as what. */
export const IdentityConfiguration = z.object({
  issuer: z.string(),
  /** The public client of the editor and the command line. */
  clientId: z.string(),
  /** The audience (RFC 8707 resource) of access tokens for this control plane. */
  audience: z.string(),
  scopes: z.array(z.string()),
  /** The claim of the access token by which the control plane knows a person; `sub` where it is left out. */
  subjectClaim: z.optional(z.string()),
  /** The attribute of a Databricks user that equals that claim; `externalId` where it is left out. */
  databricksAttribute: z.optional(z.enum(DATABRICKS_ATTRIBUTES)),
});

/** What a client needs to know before anybody is signed in. */
export const Configuration = z.object({
  product: z.literal('databricks-ml-oam'),
  version: z.string(),
  identity: IdentityConfiguration,
  workspaces: z.array(WorkspaceConfiguration),
  sessions: z.optional(SessionLimits),
});
/** See {@link Configuration}. */
export type Configuration = z.infer<typeof Configuration>;

/** The operation that tells a client where to sign in. */
export const configurationEndpoints = {
  getConfiguration: {
    method: 'GET',
    path: '/api/v1/configuration',
    summary: 'What a client needs before sign-in',
    auth: 'public',
    params: z.object({}),
    query: z.object({}),
    body: undefined,
    response: Configuration,
    refusals: [],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
