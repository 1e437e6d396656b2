import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import pg from 'pg';

import { clusterDataFolder, openCluster } from '../../../src/control-plane/store/embedded/cluster.ts';
import { chooseRunner, installedPrograms } from '../../../src/control-plane/store/embedded/programs.ts';
import { selfSign } from './self-signed.ts';

/** A PostgreSQL as a company runs it: over TCP, with TLS and SCRAM only. */
export interface TcpServer extends AsyncDisposable {
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
    /** Its certificate is signed by nobody whom the machine knows. */
    readonly ssl: { readonly ca: string };
  };
  /** The file of the certificate. */
  readonly caFile: string;
  /** Runs a statement as the superuser. */
  run(statement: string): Promise<void>;
  /** Breaks every connection but the superuser's, as a database does that goes to sleep. */
  dropConnections(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;

export async function startTcpServer(): Promise<TcpServer> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'oam-tcp-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const runner = await chooseRunner({
    programs: await installedPrograms(),
    copyTo: path.join(folder, 'postgresql'),
    dataFolder: clusterDataFolder(folder),
  });
  if (runner.owner !== undefined) await chmod(folder, 0o711);
  const { dataFolder, password } = await openCluster(folder, runner);
  const { certFile: caFile, keyFile } = await selfSign(folder, 'IP:127.0.0.1');
  for (const [file, name] of [
    [keyFile, 'server.key'],
    [caFile, 'server.crt'],
  ] as const) {
    const inside = path.join(dataFolder, name);
    await cp(file, inside);
    await chmod(inside, 0o600);
    if (runner.owner !== undefined) await chown(inside, runner.owner.uid, runner.owner.gid);
  }
  await writeFile(path.join(dataFolder, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n');
  const port = await freePort();
  const settings = {
    ...{ listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' },
    ...{ ssl: 'on', password_encryption: 'scram-sha-256', fsync: 'on' },
  };
  const server = runner.spawn(
    'postgres',
    ['-D', dataFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    'ignore',
  );
  stack.defer(() => stop(server));
  const connection = {
    ...{ host: '127.0.0.1', port, database: 'postgres', user: 'oam', password },
    ssl: { ca: await readFile(caFile, 'utf8') },
  };
  const run = async (statement: string): Promise<void> => {
    const client = new pg.Client(connection);
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const start = performance.now();
  while (
    !(await run('select 1').then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() - start > READY_WITHIN_MS) throw new Error('The server does not answer.');
    await delay(50);
  }
  const kept = stack.move();
  return {
    connection,
    caFile,
    run,
    dropConnections: () =>
      run(
        'select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename is not null and pid <> pg_backend_pid()',
      ),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new TypeError('Not a TCP address.');
  return address.port;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGINT');
  await ended;
}
