import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { lakebasePassword } from '../../../../src/control-plane/store/lakebase.ts';
import { openStore, type Store } from '../../../../src/control-plane/store/store.ts';
import { createWorkspaces } from '../../../../src/control-plane/effects/workspaces.ts';
import type { LakebaseTarget } from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  startSandboxDatabricks,
} from '../../../../src/sandbox/databricks/index.ts';
import { startTcpServer, type TcpServer } from '../tcp-server.ts';

const ENDPOINT: LakebaseTarget = { kind: 'endpoint', name: 'projects/ml/branches/main/endpoints/primary' };
const INSTANCE: LakebaseTarget = { kind: 'instance', name: 'oam-store' };

const elsewhere = { dataFolder: '/nowhere', logger: silentLogger };

describe('a database elsewhere, over TCP with TLS and SCRAM', function () {
  this.timeout(60_000);
  let server: TcpServer;
  before(async () => {
    server = await startTcpServer();
  });
  after(() => server[Symbol.asyncDispose]());

  /** More connections than one at the same time, so that some are new. */
  const work = async (store: Store): Promise<void> => {
    await Promise.all(
      Array.from({ length: 4 }, () => sql`select pg_sleep(0.05) from oam.clock`.execute(store.db)),
    );
  };

  describe('at an address', () => {
    const address = (password: string, more = ''): string => {
      const { host, port, user } = server.connection;
      return `postgres://${user}:${encodeURIComponent(password)}@${host}:${String(port)}/postgres?${more}`;
    };

    it('is used by its certificate, and again after all connections were broken at once', async () => {
      const databaseUrl = address(
        server.connection.password,
        `sslmode=verify-full&sslrootcert=${encodeURIComponent(server.caFile)}`,
      );
      const store = await openStore({ ...elsewhere, databaseUrl });
      const { rows } = await sql<{ ssl: boolean }>`
        select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(store.db);
      assert.equal(rows[0]?.ssl, true);
      await work(store);
      await server.dropConnections();
      await work(store);
      await store.close();
    });

    it('is refused where nobody vouches for its certificate, where TLS is off, and by a wrong password', async () => {
      const certificate = `sslmode=verify-full&sslrootcert=${encodeURIComponent(server.caFile)}`;
      for (const databaseUrl of [
        address(server.connection.password, 'sslmode=verify-full'),
        address(server.connection.password),
        address('another', certificate),
      ]) {
        await assert.rejects(openStore({ ...elsewhere, databaseUrl }), (error) =>
          hasCode(error, 'store_unavailable'),
        );
      }
    });
  });

  describe('that is a Lakebase, whose passwords change', () => {
    let databricks: RunningSandboxDatabricks;
    let issued: string[];
    let nowMs: number;
    let store: Store | undefined;

    beforeEach(async () => {
      issued = [];
      nowMs = Date.now();
      databricks = await startSandboxDatabricks({
        identityProvider: { issuer: 'http://127.0.0.1:1', audience: 'nobody' },
        people: [],
        clock: { nowMs: () => Date.now() },
        lakebase: {
          ...{ endpoint: ENDPOINT.name, instance: INSTANCE.name },
          accept: async (applicationId, password) => {
            issued.push(password);
            await server.run(`
              do $$ begin
                if not exists (select from pg_roles where rolname = '${applicationId}') then
                  create role "${applicationId}" login superuser;
                end if;
              end $$;
              alter role "${applicationId}" password '${password}'`);
          },
        },
      });
    });
    afterEach(async () => {
      await store?.close();
      await databricks.close();
    });

    const open = async (target: LakebaseTarget): Promise<Store> => {
      const { applicationId, secret } = databricks.coreCredentials;
      const redactor = createRedactor();
      const workspaces = createWorkspaces({
        ...{ clientId: applicationId, clientSecret: secret, transport: axiosTransport(), redactor },
      });
      store = await openStore({
        ...elsewhere,
        changing: {
          connection: { ...server.connection, user: applicationId },
          password: lakebasePassword({
            client: workspaces.at(databricks.workspaces.prod.host),
            ...{ target, redactor, clock: { nowMs: () => nowMs } },
          }),
        },
      });
      return store;
    };

    for (const target of [ENDPOINT, INSTANCE]) {
      it(`is entered by a password of its ${target.kind}, one for many connections`, async () => {
        const opened = await open(target);
        await work(opened);
        await server.dropConnections();
        await work(opened);
        assert.equal(issued.length, 1);
      });
    }

    it('gets a new one shortly before the last one ends, with new connections only', async () => {
      const opened = await open(ENDPOINT);
      nowMs += 56 * 60_000;
      await sql`select 1`.execute(opened.db);
      assert.equal(issued.length, 1, 'a connection that is open needs none');
      await server.dropConnections();
      await work(opened);
      assert.equal(issued.length, 2);
    });

    it('gets a new one where the database does not take the last one any more', async () => {
      const opened = await open(ENDPOINT);
      await server.run(`alter role "${databricks.coreCredentials.applicationId}" password 'changed by hand'`);
      await server.dropConnections();
      await work(opened);
      assert.ok(issued.length >= 2);
    });

    it('says so where Databricks knows no such database', async () => {
      await assert.rejects(open({ kind: 'instance', name: 'none' }), (error) =>
        hasCode(error, 'store_unavailable'),
      );
    });
  });
});
