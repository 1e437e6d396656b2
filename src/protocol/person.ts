import * as z from 'zod/mini';

import { DUTIES } from '../domain/principal.ts';
import type { Endpoint } from './endpoint.ts';
import { PersonView, Timestamp } from './schemas.ts';

/** The caller as the control plane sees them. */
export const Me = z.extend(PersonView, {
  groups: z.array(z.string()),
  duty: z.nullable(z.enum(DUTIES)),
  teams: z.array(z.object({ name: z.string(), lead: z.boolean() })),
  seenAt: Timestamp,
  /** True where policy lets the caller read the audit trail. */
  readsAudit: z._default(z.boolean(), false),
});
/** See {@link Me}. */
export type Me = z.infer<typeof Me>;

/** The operation that tells callers who they are. */
export const personEndpoints = {
  getMe: {
    method: 'GET',
    path: '/api/v1/me',
    summary: 'The caller, as the identity provider describes them',
    auth: 'bearer',
    params: z.object({}),
    query: z.object({}),
    body: undefined,
    response: Me,
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
