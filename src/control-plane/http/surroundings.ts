import type { FastifyInstance } from 'fastify';
import { type Kysely, sql } from 'kysely';

import type { AuditDebt } from '../audit/debt.ts';
import type { Issuer } from '../issuer/issuer.ts';
import { JWKS_MAX_AGE_SECONDS } from '../issuer/key-states.ts';
import type { LivePolicy } from '../policy/live.ts';
import type { Database } from '../store/tables.ts';
import type { Metrics } from './metrics.ts';
import { describeApi } from './openapi.ts';

/** What the addresses beside the API need. */
export interface SurroundingsParts {
  readonly db: Kysely<Database>;
  readonly debt: AuditDebt;
  readonly metrics: Metrics;
  readonly policy: LivePolicy;
  /** Throws while the control plane is starting. */
  readonly issuer: () => Issuer;
  readonly version: string;
}

const MAY_BE_KEPT = `public, max-age=${JWKS_MAX_AGE_SECONDS}`;

/** What watches a server often asks with HEAD. */
const ALSO_HEAD = { exposeHeadRoute: true };

/** Adds what operators and Databricks ask for: health, readiness, metrics, the API's description, the issuer. */
export function addSurroundings(app: FastifyInstance, parts: SurroundingsParts): void {
  app.get('/healthz', ALSO_HEAD, () => ({ status: 'up' }));

  // Databricks may be away: requests are still taken and what is due waits. Without the store nothing can be said.
  app.get('/readyz', ALSO_HEAD, async () => {
    parts.issuer();
    await sql`select 1`.execute(parts.db);
    return {
      status: 'ready',
      // An older version goes on to decide: that is no reason to send nobody here.
      policy: { version: parts.policy.current().hash, behind: parts.policy.isBehind() },
    };
  });

  app.get('/metrics', ALSO_HEAD, async (_request, reply) =>
    reply
      .type('text/plain; version=0.0.4; charset=utf-8')
      .send(await parts.metrics.expose(parts.db, parts.debt, parts.policy)),
  );

  app.get('/api/v1/openapi.json', ALSO_HEAD, () => describeApi(parts.version, parts.issuer().url));

  app.get('/.well-known/openid-configuration', ALSO_HEAD, (_request, reply) =>
    reply.header('cache-control', MAY_BE_KEPT).send(parts.issuer().discovery()),
  );

  app.get('/.well-known/jwks.json', ALSO_HEAD, async (_request, reply) =>
    reply.header('cache-control', MAY_BE_KEPT).send(await parts.issuer().jwks()),
  );
}
