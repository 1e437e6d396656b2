import * as z from 'zod/mini';

import type { Endpoint } from './endpoint.ts';
import { ById, Flag, IfConfirmed, Outlook, RoleView } from './schemas.ts';

/** A number of a query, as far as it could be meant. */
const WholeNumber = z.pipe(z.string().check(z.regex(/^\d{1,6}$/)), z.transform(Number));

/** The operations on the roles of the catalogue. */
export const roleEndpoints = {
  listRoles: {
    method: 'GET',
    path: '/api/v1/roles',
    summary: 'The roles that concern the caller, and what a request for each would meet',
    auth: 'bearer',
    params: z.object({}),
    query: z.object({}),
    body: undefined,
    response: z.object({ items: z.array(RoleView) }),
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  getOutlook: {
    method: 'GET',
    path: '/api/v1/roles/{id}/outlook',
    summary: 'What a request for a role, for so long and with or without a ticket, would meet now',
    auth: 'bearer',
    params: ById,
    query: z.object({ minutes: WholeNumber, ticket: Flag, purposeCharacters: z.optional(WholeNumber) }),
    body: undefined,
    response: z.object({ outlook: Outlook, ifConfirmed: IfConfirmed }),
    // An id that is longer than any is no address.
    refusals: ['unknown_role', 'not_found', 'groups_overflowed'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
