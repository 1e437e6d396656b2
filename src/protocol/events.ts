import * as z from 'zod/mini';

import type { Endpoint } from './endpoint.ts';
import { Timestamp } from './schemas.ts';

/** What happened, for the people it concerns. */
export const EVENT_KINDS = [
  'request.created',
  'request.approval_added',
  /** What is known about the requester is too old to grant on: a silent refresh of their sign-in completes it. */
  'request.awaiting_requester',
  /** The role or the policy changed: the request is judged anew. */
  'request.reopened',
  'request.approved',
  'request.denied',
  'request.cancelled',
  'request.lapsed',
  /** Access is committed to and waits for its start, or for its holder. */
  'grant.scheduled',
  'grant.provisioning',
  'grant.active',
  /** The grant has ended, and another one that follows it without a gap is active. */
  'grant.extended',
  /** Somebody took access in an emergency, which nobody approved: it waits for a review. */
  'grant.break_glass',
  'grant.reviewed',
  'grant.revoking',
  'grant.revoke_stuck',
  'grant.ended',
  'grant.failed',
  /** Somebody may decide for somebody else for a time, or no more; both are told. */
  'delegation.created',
  'delegation.revoked',
] as const;

/** One of {@link EVENT_KINDS}. */
export type EventKind = (typeof EVENT_KINDS)[number];

/** One event; `cursor` is the SSE id and the `after` of the next poll. */
export const EventView = z.object({
  cursor: z.string(),
  kind: z.enum(EVENT_KINDS),
  at: Timestamp,
  requestId: z.nullable(z.string()),
  grantId: z.nullable(z.string()),
});
/** See {@link EventView}. */
export type EventView = z.infer<typeof EventView>;

/** The operation that tells what happened. */
export const eventEndpoints = {
  listEvents: {
    method: 'GET',
    path: '/api/v1/events',
    summary:
      'What happened since a cursor; with `Accept: text/event-stream` a stream that resumes at `Last-Event-ID`',
    auth: 'bearer',
    params: z.object({}),
    query: z.object({
      after: z.optional(z.string().check(z.regex(/^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,18})$/))),
    }),
    body: undefined,
    response: z.object({ items: z.array(EventView), nextCursor: z.string() }),
    refusals: [],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
