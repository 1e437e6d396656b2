import { randomUUID } from 'node:crypto';
import path from 'node:path';

import type { Kysely, KyselyPlugin } from 'kysely';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { guardAgainstOutage, type OutageGuard } from '../../../../src/control-plane/effects/outage.ts';
import { createWorkspaces } from '../../../../src/control-plane/effects/workspaces.ts';
import type { Database } from '../../../../src/control-plane/store/tables.ts';
import { type Logger, silentLogger } from '../../../../src/domain/logger.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { axiosTransport, type HttpRequest } from '../../../../src/protocol/transport.ts';
import type { World } from '../world.ts';

/** A way to a store that can be cut, and mended, without anything happening to the store. */
export interface Way {
  readonly db: Kysely<Database>;
  isCut: boolean;
}

export function wayTo(db: Kysely<Database>): Way {
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      if (way.isCut) throw new Error('The way to the store is cut.');
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const way: Way = { db: db.withPlugin(plugin), isCut: false };
  return way;
}

/** The guard of another replica of a world's control plane, which is nothing but a guard. */
export interface OtherGuard extends AsyncDisposable {
  readonly guard: OutageGuard;
  readonly way: Way;
  /** Comes when the guard knows the deadlines as they are. */
  loaded(): Promise<void>;
}

export function otherGuard(
  world: World,
  beforeExchange: (request: HttpRequest) => Promise<void> = () => Promise.resolve(),
): OtherGuard {
  const way = wayTo(world.store.db);
  const transport = axiosTransport();
  const redactor = createRedactor();
  const isLoaded = Promise.withResolvers<undefined>();
  let queries = 0;
  const counting: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: ({ result }) => {
      queries += 1;
      // The time, and then the list.
      if (queries === 2) isLoaded.resolve(undefined);
      return Promise.resolve(result);
    },
  };
  const logger: Logger = silentLogger;
  const guard = guardAgainstOutage(
    {
      db: way.db.withPlugin(counting),
      debt: createAuditDebt(path.join(world.dataFolder, randomUUID()), logger),
      logger,
      redactor,
      absenceConfirmMs: 50,
      workspaces: createWorkspaces({
        clientId: world.config.databricks.clientId,
        clientSecret: world.databricks.coreCredentials.secret,
        transport: async (request) => {
          await beforeExchange(request);
          return transport(request);
        },
        redactor,
      }),
    },
    20,
  );
  return {
    ...{ guard, way },
    loaded: () => isLoaded.promise,
    [Symbol.asyncDispose]: () => guard.stop(),
  };
}
