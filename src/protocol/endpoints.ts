import { auditEndpoints } from './audit.ts';
import { backgroundEndpoints } from './background.ts';
import { configurationEndpoints } from './configuration.ts';
import { credentialEndpoints } from './credentials.ts';
import { delegationEndpoints } from './delegations.ts';
import { eventEndpoints } from './events.ts';
import { explanationEndpoints } from './explanation.ts';
import { grantEndpoints } from './grants.ts';
import { issuerEndpoints } from './issuer.ts';
import { leaseEndpoints } from './leases.ts';
import { personEndpoints } from './person.ts';
import { requestEndpoints } from './requests.ts';
import { roleEndpoints } from './roles.ts';
import { runnerEndpoints } from './runners.ts';
import { teamEndpoints } from './team.ts';
import type { Endpoint } from './endpoint.ts';

/** The table of operations, by operation id. Every POST takes an `Idempotency-Key`. */
export const endpoints = {
  ...configurationEndpoints,
  ...personEndpoints,
  ...roleEndpoints,
  ...requestEndpoints,
  ...grantEndpoints,
  ...credentialEndpoints,
  ...backgroundEndpoints,
  ...explanationEndpoints,
  ...delegationEndpoints,
  ...eventEndpoints,
  ...leaseEndpoints,
  ...issuerEndpoints,
  ...auditEndpoints,
  ...runnerEndpoints,
  ...teamEndpoints,
} as const satisfies Record<string, Endpoint>;

/** An operation id. */
export type OperationId = keyof typeof endpoints;
