import * as z from 'zod/mini';

import type { Endpoint } from './endpoints.ts';
import { EventView } from './schemas.ts';

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
