import * as z from 'zod/mini';

import { END_REASONS, GRANT_STATES } from '../domain/lifecycle.ts';
import { DUTIES } from '../domain/principal.ts';
import type { Endpoint } from './endpoint.ts';
import { BACKGROUND_DAYS } from './limits.ts';
import { ById, PersonView, Timestamp } from './schemas.ts';

/**
 * Who asks, and what became of what they asked before, for whoever decides on a request. It covers the roles of the
 * asked role's team only: an approver of one team learns nothing of another.
 */
export const BackgroundView = z.object({
  requester: z.object({
    duty: z.nullable(z.enum(DUTIES)),
    /** The team of the role, and what the requester is in it. */
    team: z.string(),
    standing: z.enum(['member', 'lead', 'neither', 'unknown']),
    /** When the identity provider or the directory last vouched for the requester; null where nobody ever did. */
    seenAt: z.nullable(Timestamp),
    /** False where a yes would wait for the requester to sign in again. */
    fresh: z.boolean(),
  }),
  /** How far back all that follows goes, in days. */
  days: z.literal(BACKGROUND_DAYS),
  /** The requester's other requests for the same role, by what became of them. */
  like: z.object({ open: z.int(), approved: z.int(), denied: z.int(), other: z.int() }),
  /** The last grants, the newest first. */
  grants: z.array(
    z.object({
      id: z.string(),
      roleTitle: z.string(),
      purpose: z.string(),
      state: z.enum(GRANT_STATES),
      endReason: z.nullable(z.enum(END_REASONS)),
      minutes: z.int(),
      at: Timestamp,
    }),
  ),
  /** The last denials, the newest first; by nobody where policy denied. */
  denials: z.array(
    z.object({
      requestId: z.string(),
      roleTitle: z.string(),
      at: Timestamp,
      by: z.nullable(PersonView),
      reason: z.nullable(z.string()),
    }),
  ),
  /** How often they took access in an emergency, and what was thought of it. */
  breakGlass: z.object({ pending: z.int(), ok: z.int(), misuse: z.int() }),
});
/** See {@link BackgroundView}. */
export type BackgroundView = z.infer<typeof BackgroundView>;

/** The operation that tells an approver whom they decide about. */
export const backgroundEndpoints = {
  getBackground: {
    method: 'GET',
    path: '/api/v1/requests/{id}/background',
    summary: 'Who asks, and what became of what they asked before (those who see the request)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: undefined,
    response: BackgroundView,
    refusals: ['not_found'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
