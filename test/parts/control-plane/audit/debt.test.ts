import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Kysely, PostgresDialect, sql } from 'kysely';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { inChange } from '../../../../src/control-plane/changes/change.ts';
import { createPool } from '../../../../src/control-plane/store/store.ts';
import type { Database } from '../../../../src/control-plane/store/tables.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { freshStore, type TestStore } from '../database.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';
import { assertTrailHolds, chainAll } from './trail.ts';

const ROLE = 'recsys-endpoint-query';

describe('the debt of the audit trail', function () {
  this.timeout(60_000);
  let store: TestStore;
  let folder: string;
  beforeEach(async () => {
    store = await freshStore();
    folder = await mkdtemp(path.join(tmpdir(), 'oam-debt-'));
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const file = () => path.join(folder, 'audit-debt.jsonl');
  const refuse = () =>
    sql`alter table oam.audit add constraint closed check (false) not valid`.execute(store.db);
  const open = () => sql`alter table oam.audit drop constraint closed`.execute(store.db);
  const events = async () =>
    (await store.db.selectFrom('audit').select('event').orderBy('event').execute()).map(({ event }) => event);

  it('holds rows until the trail takes them, each once', async () => {
    const debt = createAuditDebt(folder, silentLogger);
    await refuse();
    for (const event of ['grant.ended', 'grant.revoking'] as const)
      await inChange(store.db, (change) => debt.record(change, { event }));
    assert.equal(await debt.waiting(), 2);
    await assert.rejects(debt.drain(store.db), /closed/);
    assert.equal(await debt.waiting(), 2);
    await open();
    assert.equal(await debt.drain(store.db), 2);
    assert.equal(await debt.drain(store.db), 0);
    assert.deepEqual(await events(), ['grant.ended', 'grant.revoking']);
    assert.equal(await debt.waiting(), 0);
  });

  it('keeps no row of a change that did not happen, and waits for one that has yet to end', async () => {
    const debt = createAuditDebt(folder, silentLogger);
    await refuse();
    await assert.rejects(
      inChange(store.db, async (change) => {
        await debt.record(change, { event: 'grant.failed' });
        throw new Error('the change fails later');
      }),
    );
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const slow = inChange(store.db, async (change) => {
      await debt.record(change, { event: 'grant.ended' });
      entered.resolve();
      await release.promise;
    });
    await entered.promise;
    // In the way of the table is the open change itself, so the door is opened for the drain only when it has ended.
    assert.equal(await debt.drain(store.db), 0);
    assert.equal(await debt.waiting(), 1);
    release.resolve();
    await slow;
    await open();
    assert.equal(await debt.drain(store.db), 1);
    assert.deepEqual(await events(), ['grant.ended']);
  });

  it('keeps in memory what not even its file can take, and mends a line that was cut', async () => {
    await mkdir(folder, { recursive: true });
    await symlink('/dev/full', file());
    const errors: string[] = [];
    const debt = createAuditDebt(folder, {
      ...silentLogger,
      error: (_, fields) => errors.push(JSON.stringify(fields)),
    });
    await refuse();
    await inChange(store.db, (change) => debt.record(change, { event: 'runner.ended' }));
    assert.ok(
      errors.some((line) => line.includes('ENOSPC') && line.includes('runner.ended')),
      errors.join('\n'),
    );
    await unlink(file());
    assert.equal(await debt.waiting(), 1);
    await writeFile(file(), '{"id":"cut');
    await inChange(store.db, (change) => debt.record(change, { event: 'delegation.revoked' }));
    await open();
    assert.equal(await debt.drain(store.db), 2);
    assert.deepEqual(await events(), ['delegation.revoked', 'runner.ended']);
  });
});

describe('a control plane whose audit trail takes no row', function () {
  this.timeout(60_000);

  /** Grants are refused, revocations are not; then the trail opens and all that happened is in it. */
  async function play(world: World, close: () => Promise<void>, open: () => Promise<void>): Promise<void> {
    const held = grantOf(await world.ask('ana', ROLE));
    await world.until(held, 'active');
    await close();
    const problem = await refused(world.ask('omar', 'platform-cluster-operator'), 'audit_unavailable');
    assert.equal(problem.status, 503);
    await world.client('ana').call('returnGrant', { params: { id: held } });
    await world.until(held, 'ended');
    const { text } = await world.http({ method: 'GET', path: '/metrics' });
    assert.match(text, /^oam_audit_debt [1-9]/m);
    await open();
    const debt = createAuditDebt(world.dataFolder, silentLogger);
    while ((await debt.waiting()) > 0) await delay(50);
    await chainAll(world.store.db);
    const rows = await world.store.db
      .selectFrom('audit')
      .select('event')
      .where('grant_id', '=', held)
      .where('event', 'in', ['grant.revoking', 'grant.ended'])
      .orderBy('event')
      .execute();
    assert.deepEqual(
      rows.map(({ event }) => event),
      ['grant.ended', 'grant.revoking'],
    );
    await assertTrailHolds(world.store.db);
  }

  it('as its right to write was revoked, refuses grants and goes on to revoke', async () => {
    const store = await freshStore();
    const { rows } = await sql<{ name: string; folder: string; port: string }>`
      select current_database() as name, current_setting('unix_socket_directories') as folder,
        current_setting('port') as port`.execute(store.db);
    const [server] = rows;
    assert.ok(server);
    const role = `app_${server.name}`;
    await sql.raw(`create role ${role} login password 'only-for-this-test'`).execute(store.db);
    await sql.raw(`grant usage on schema oam to ${role}`).execute(store.db);
    await sql
      .raw(`grant select, insert, update, delete on all tables in schema oam to ${role}`)
      .execute(store.db);
    const pool = createPool(
      {
        ...{ host: server.folder, port: Number(server.port), database: server.name },
        ...{ user: role, password: 'only-for-this-test', max: 10 },
      },
      silentLogger,
    );
    const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema('oam');
    const world = await startWorld({ store: { ...store, db, close: () => Promise.resolve() } });
    try {
      await play(
        world,
        async () => {
          await sql.raw(`revoke insert on oam.audit from ${role}`).execute(store.db);
        },
        async () => {
          await sql.raw(`grant insert on oam.audit to ${role}`).execute(store.db);
        },
      );
    } finally {
      await world.close();
      await db.destroy();
      await sql.raw(`drop owned by ${role}`).execute(store.db);
      await sql.raw(`drop role ${role}`).execute(store.db);
      await store.close();
    }
  });

  it('as its disk is full, refuses grants and goes on to revoke', async () => {
    const world = await startWorld();
    try {
      await play(
        world,
        () => toFullDisk(world.store),
        () => toRoom(world.store),
      );
    } finally {
      await world.close();
    }
  });
});

/** New rows need a new page, in a partition whose file is `/dev/full`. */
async function toFullDisk({ db }: TestStore): Promise<void> {
  await sql`create table oam.full_page (like oam.audit including defaults)`.execute(db);
  const { rows } = await sql<{ file: string }>`
    select current_setting('data_directory') || '/' || pg_relation_filepath('oam.full_page') as file`.execute(
    db,
  );
  const file = rows[0]?.file ?? '';
  await unlink(file);
  await symlink('/dev/full', file);
  await sql`
    create function oam.full_disk() returns trigger language plpgsql as
      $$ begin insert into oam.full_page select new.*; return null; end $$`.execute(db);
  await sql`create trigger full_disk before insert on oam.audit for each row execute function oam.full_disk()`.execute(
    db,
  );
  await assert.rejects(
    sql`insert into oam.audit (id, at, event, detail) values (gen_random_uuid(), now(), 'x', '{}')`.execute(
      db,
    ),
    (error) => error instanceof Error && 'code' in error && error.code === '53100',
  );
}

async function toRoom({ db }: TestStore): Promise<void> {
  await sql`drop trigger full_disk on oam.audit`.execute(db);
  const { rows } = await sql<{ file: string }>`
    select current_setting('data_directory') || '/' || pg_relation_filepath('oam.full_page') as file`.execute(
    db,
  );
  const file = rows[0]?.file ?? '';
  await unlink(file);
  await writeFile(file, '', { mode: 0o600 });
  await sql`drop table oam.full_page`.execute(db);
}
