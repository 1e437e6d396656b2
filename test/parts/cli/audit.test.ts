import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { sql } from 'kysely';
import * as z from 'zod/mini';

import { exportTrail } from '../../../src/cli/audit/export.ts';
import { listTrail } from '../../../src/cli/audit/list.ts';
import { verify, type VerifyFlags } from '../../../src/cli/audit/verify.ts';
import type { Connection } from '../../../src/cli/connection/connect.ts';
import { anchorChain } from '../../../src/control-plane/audit/anchors.ts';
import { createSeal } from '../../../src/control-plane/issuer/seal.ts';
import { openSigningKey, type SigningKey } from '../../../src/control-plane/issuer/signing-key.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { AnchorLine } from '../../../src/protocol/audit.ts';
import { createLinesClient } from '../../../src/protocol/lines.ts';
import { axiosStream } from '../../../src/protocol/transport.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { fakeInvocation } from '../../unit/cli/fake-control-plane.ts';
import { chainAll } from '../control-plane/audit/trail.ts';
import { refused, startWorld, type World } from '../control-plane/world.ts';

const FLAGS = { keychain: false } as const;

const EVERYTHING = { ...FLAGS, format: 'ndjson', after: '0' };

describe('oam audit', function () {
  this.timeout(60_000);
  let world: World;
  let folder: string;
  let key: SigningKey;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'oam-audit-'));
    world = await startWorld({
      audit: {
        anchors: { everySeconds: 3_600, standardOutput: false, folder: path.join(folder, 'anchors') },
      },
    });
    await world.until((await world.ask('ana', 'recsys-endpoint-query')).grantId ?? '', 'active');
    await sql`
      insert into oam.audit (id, at, event, detail)
      select gen_random_uuid(), oam.now(), 'request.created', jsonb_build_object('number', n)
      from generate_series(1, 3000) n`.execute(world.store.db);
    await chainAll(world.store.db);
    key = await openSigningKey(world.store, createSeal(world.sealKeys), 'audit-anchors');
  });
  after(async () => {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  });

  const connection = (name: 'aude' | 'ana' = 'aude'): Connection => {
    const accessToken = () => world.token(name);
    const lines = createLinesClient({ baseUrl: world.url, accessToken, stream: axiosStream() });
    const signedIn = () => Promise.resolve(undefined as never);
    return { lines, client: world.client(name), signedIn } as Partial<Connection> as Connection;
  };

  const verified = async (flags: VerifyFlags, file?: string) => {
    const { invocation, answers, notes } = fakeInvocation();
    const code = await verify(file, { ...FLAGS, ...flags }, () => Promise.resolve(connection()), invocation);
    return { code, answers, notes };
  };

  /** What somebody with the database does, undone afterwards; nothing is chained meanwhile. */
  const whileTampered = async (statements: string, work: () => Promise<void>): Promise<void> => {
    const { db } = world.store;
    await db.transaction().execute(async (lock) => {
      await lock.selectFrom('audit_chain').select('sequence').forUpdate().execute();
      await sql`create table oam.kept as table oam.audit`.execute(db);
      try {
        for (const statement of statements.split(';')) await sql.raw(statement).execute(db);
        await work();
      } finally {
        await sql`truncate oam.audit`.execute(db);
        await sql`insert into oam.audit select * from oam.kept`.execute(db);
        await sql`drop table oam.kept`.execute(db);
      }
    });
  };

  it('finds nothing wrong with a sound trail, and says how far it is vouched for', async () => {
    await chainAll(world.store.db);
    assert.equal(await anchorChain(world.store.db, key), true);
    assert.equal(await anchorChain(world.store.db, key), false);
    const { code, answers, notes } = await verified({});
    assert.equal(code, 0, answers.join('\n'));
    assert.match(answers[0] ?? '', /^The trail holds: 3\d\d\d rows\.$/);
    assert.match(answers.join('\n'), /Anchors vouch for the rows up to \d+/);
    assert.match(notes.join('\n'), /the control plane's own copy/);
  });

  it('names the row behind an edit and the rows that were cut off, on the running control plane', async () => {
    await whileTampered(`update oam.audit set detail = '{"number": 0}' where sequence = 1234`, async () => {
      const { code, answers } = await verified({});
      assert.equal(code, 3);
      assert.match(answers.join('\n'), /^Row 1234: changed/m);
    });
    const cut = `delete from oam.audit where sequence > 2000;
      delete from oam.audit_anchor where sequence > 2000`;
    const kept = await anchorsOf(world);
    await whileTampered(cut, async () => {
      // Its own anchors are gone as well: only what is kept elsewhere shows it.
      const anchors = path.join(folder, 'kept.jsonl');
      await writeFile(anchors, kept.map((line) => JSON.stringify(line)).join('\n'));
      const { code, answers } = await verified({ anchors: [anchors] });
      assert.equal(code, 3);
      assert.match(answers.join('\n'), /Rows 2001 to 3\d\d\d: cut off at the end/);
    });
    for (const { at, ...anchor } of kept) {
      await world.store.db
        .insertInto('audit_anchor')
        .values({ ...anchor, at: new Date(at) })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  });

  it('verifies an exported file without the control plane', async () => {
    const file = path.join(folder, 'trail.ndjson');
    const { invocation, notes } = fakeInvocation();
    await exportTrail({ ...EVERYTHING, out: file }, connection(), invocation);
    assert.match(notes.join('\n'), /Exported 3\d\d\d rows/);
    const keys = path.join(folder, 'keys.json');
    await writeFile(keys, JSON.stringify(await world.client('aude').call('getAuditKeys')));
    const flags = { anchors: [path.join(folder, 'anchors')], keys };
    await filled(path.join(folder, 'anchors'));
    const { code, answers } = await verified(flags, file);
    assert.equal(code, 0, answers.join('\n'));

    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const changed = async (edit: (lines: string[]) => void): Promise<string> => {
      const copy = [...lines];
      edit(copy);
      await writeFile(`${file}.changed`, copy.join('\n'));
      const result = await verified(flags, `${file}.changed`);
      assert.equal(result.code, 3);
      return result.answers.join('\n');
    };
    const edit = (text = ''): string => text.replace('"number":', '"number":1');
    assert.match(await changed((copy) => copy.splice(776, 1)), /^Row 777: missing\.$/m);
    assert.match(
      await changed((copy) => copy.splice(776, 2, copy[777] ?? '', copy[776] ?? '')),
      /^Row 777: what/m,
    );
    assert.match(await changed((copy) => copy.splice(776, 1, edit(copy[776]))), /^Row 777: changed/m);
    assert.match(await changed((copy) => copy.splice(776, 1, 'junk')), /^Row 777: what stands/m);
    const more = (text = ''): string => text.replace('{', '{"note":"by the way",');
    assert.match(await changed((copy) => copy.splice(776, 1, more(copy[776]))), /^Row 777: what stands/m);
    assert.match(await changed((copy) => copy.splice(-1)), /^The last line is missing/m);
    assert.match(await changed((copy) => copy.splice(1000)), /^Rows 1001 to \d+: cut off/m);
  });

  it('takes no anchor that is not signed by a key that was kept', async () => {
    const [anchor] = await anchorsOf(world);
    assert.ok(anchor);
    const anchors = path.join(folder, 'forged.jsonl');
    await writeFile(anchors, `${JSON.stringify({ ...anchor, sequence: 5 })}\n${JSON.stringify(anchor)}\n`);
    const forged = await verified({ anchors: [anchors] });
    assert.equal(forged.code, 3);
    assert.match(forged.answers.join('\n'), /1 line of the anchors \(1\): not signed/);
    const keys = path.join(folder, 'none.json');
    await writeFile(keys, '{"keys":[]}');
    const unknown = await verified({ anchors: [anchors], keys });
    assert.match(unknown.answers.join('\n'), /2 lines of the anchors \(1, 2\): not signed/);
    const foreign = await verified({ store: '00000000-0000-4000-8000-000000000000' });
    assert.match(foreign.answers.join('\n'), /another store/);
  });

  it('is for auditors, and each export is on the record', async () => {
    const { invocation } = fakeInvocation();
    await refused(exportTrail(EVERYTHING, connection('ana'), invocation), 'not_allowed');
    const { items } = await world.client('aude').call('listAudit', { query: { event: 'audit.*' } });
    const exported = items.filter((row) => row.event === 'audit.exported');
    assert.ok(exported.length >= 2);
    assert.ok(exported.every((row) => row.actor?.sub === PEOPLE.aude.sub));
    const refusals = await world.client('aude').call('listAudit', { query: { event: 'audit_read.refused' } });
    assert.equal(refusals.items[0]?.detail['operation'], 'exportAudit');
  });

  it('leaves no part of a trail in a file', async () => {
    const { invocation } = fakeInvocation();
    async function* cut() {
      yield await Promise.resolve('{"sequence":1}');
    }
    const broken = { ...connection(), lines: { read: () => Promise.resolve(cut()) } };
    const out = path.join(folder, 'cut.ndjson');
    await assert.rejects(exportTrail({ ...EVERYTHING, out }, broken, invocation), (error) =>
      hasCode(error, 'export_cut_off'),
    );
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('cut')),
      [],
    );
  });

  it('lists rows by what they are about', async () => {
    const { invocation, answers } = fakeInvocation();
    await listTrail({ ...FLAGS, json: true, event: 'grant.*', limit: '9' }, connection(), invocation);
    assert.deepEqual(answers.map((line) => Row.parse(JSON.parse(line)).event).sort(), [
      'grant.active',
      'grant.provisioning',
      'grant.scheduled',
    ]);
  });
});

const Row = z.object({ event: z.string() });

async function anchorsOf(world: World): Promise<AnchorLine[]> {
  const token = await world.token('aude');
  const { text } = await world.http({
    method: 'GET',
    path: '/api/v1/audit/anchors',
    headers: { authorization: `Bearer ${token}` },
  });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [AnchorLine.parse(JSON.parse(line))]));
}

async function filled(folder: string): Promise<void> {
  while ((await readdir(folder).catch(() => [])).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
