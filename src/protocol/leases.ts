import * as z from 'zod/mini';

import { LEASE_STATES, OUTLIVING_KINDS } from '../domain/lifecycle.ts';
import type { Endpoint } from './endpoint.ts';
import { ById, page, PageQuery, Timestamp } from './schemas.ts';

/** One credential that was issued under a grant; never the credential itself. */
export const LeaseView = z.object({
  id: z.string(),
  grantId: z.string(),
  state: z.enum(LEASE_STATES),
  issuedAt: Timestamp,
  /** When the longest-lived credential under the lease expires. */
  expiresAt: Timestamp,
  renewals: z.int(),
  renewedAt: z.nullable(Timestamp),
  /** When a read showed that the credential is gone. */
  revokedAt: z.nullable(Timestamp),
  /** What is left of the credential after the grant's end, and until when. */
  outlives: z.nullable(z.object({ until: Timestamp, what: z.enum(OUTLIVING_KINDS) })),
});
/** See {@link LeaseView}. */
export type LeaseView = z.infer<typeof LeaseView>;

/** The operations on leases. */
export const leaseEndpoints = {
  listLeases: {
    method: 'GET',
    path: '/api/v1/grants/{id}/leases',
    summary: 'The credentials that were issued under a grant, the newest first (its holder, leads, auditors)',
    auth: 'bearer',
    params: ById,
    query: PageQuery,
    body: undefined,
    response: page(LeaseView),
    refusals: ['not_found'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
