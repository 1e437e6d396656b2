import { randomBytes } from 'node:crypto';

import * as z from 'zod/mini';

import { doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, parseBody, type Route } from '../http/router.ts';
import { ok, type Reply } from '../http/reply.ts';
import type { SandboxLakebase } from '../options.ts';
import type { World } from '../world.ts';

const OfEndpoint = z.object({ endpoint: z.string(), ttl: z.optional(z.string()) });

const OfInstances = z.object({ instance_names: z.array(z.string()), request_id: z.string() });

/** Databricks takes no other lives than these, in seconds. */
const LIFE = { min: 300, max: 3_600 };

/** Passwords of Lakebase, in both versions of the API. The database itself is the test's. */
export function lakebaseRoutes({ clock }: World, lakebase: SandboxLakebase | undefined): Route[] {
  const issue = async (call: AuthenticatedCall, seconds: number, timeField: string): Promise<Reply> => {
    if (call.caller.kind !== 'service-principal')
      throw permissionDenied('Only service principals come here.');
    const token = `lakebase.${randomBytes(24).toString('base64url')}`;
    const lifeMs = lakebase?.passwordMs ?? seconds * 1_000;
    await lakebase?.accept(call.caller.applicationId, token);
    return ok({ token, [timeField]: new Date(clock.nowMs() + lifeMs).toISOString() });
  };
  return [
    {
      method: 'POST',
      path: '/api/2.0/postgres/credentials',
      handle: (call) => {
        const { endpoint, ttl } = parseBody(OfEndpoint, call);
        if (endpoint !== lakebase?.endpoint) throw doesNotExist(`Endpoint ${endpoint} does not exist.`);
        const seconds = ttl === undefined ? LIFE.max : Number(/^(\d+)s$/.exec(ttl)?.[1]);
        if (!(seconds >= LIFE.min && seconds <= LIFE.max))
          throw invalidParameter(`Invalid ttl: ${ttl ?? ''}`);
        return issue(call, seconds, 'expire_time');
      },
    },
    {
      method: 'POST',
      path: '/api/2.0/database/credentials',
      handle: (call) => {
        const { instance_names: names } = parseBody(OfInstances, call);
        const strange = names.find((name) => name !== lakebase?.instance);
        if (strange !== undefined || names.length === 0) {
          throw doesNotExist(`Database instance ${strange ?? ''} does not exist.`);
        }
        return issue(call, LIFE.max, 'expiration_time');
      },
    },
  ];
}
