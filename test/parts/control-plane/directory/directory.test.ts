import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';
import * as z from 'zod/mini';

import { HOUR_MS } from '../../../../src/domain/time.ts';
import type { HttpRequest } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { DIRECTORY_TOKEN, grantOf, refused, startWorld, type World } from '../world.ts';
import { PATCH, patch, pushPerson, pushTeam, scim, TEAM, USER } from './pushes.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const Failure = z.object({ status: z.string(), scimType: z.optional(z.string()), detail: z.string() });
const List = z.object({ totalResults: z.int(), Resources: z.array(z.looseObject({ id: z.string() })) });
const Group = z.object({ members: z.array(z.object({ value: z.string() })) });

describe("the company's directory", function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld({ directory: true });
  });
  afterEach(() => world.close());

  const granted = async (): Promise<string> => {
    const id = grantOf(await world.ask('ana', ROLE, 60));
    await world.until(id, 'active');
    return id;
  };

  it('ends what somebody holds and waits for when it says that they are not active, and lets them in no more', async () => {
    const ana = await pushPerson(world, 'ana');
    const held = await granted();
    const waiting = await world.ask('ana', 'recsys-deployer', 60);
    assert.equal(waiting.state, 'pending');
    const answer = await patch(world, `/Users/${ana}`, { op: 'replace', path: 'active', value: false });
    assert.equal(answer.status, 200);
    const ended = await world.until(held, 'ended');
    assert.equal(ended.endReason, 'revoked');
    assert.deepEqual(world.databricks.members(GROUP), []);
    const request = await world.client('aude').call('getRequest', { params: { id: waiting.id } });
    assert.equal(request.state, 'denied');
    await refused(world.client('ana').call('getMe', {}), 'account_disabled');
    await refused(world.ask('ana', ROLE), 'account_disabled');
    await patch(world, `/Users/${ana}`, { op: 'replace', path: 'active', value: true });
    await granted();
  });

  it("takes Entra ID's words for booleans, in a value and beside a path", async () => {
    const ana = await pushPerson(world, 'ana');
    await patch(world, `/Users/${ana}`, { op: 'Replace', path: 'active', value: 'False' });
    await refused(world.client('ana').call('getMe', {}), 'account_disabled');
    await patch(world, `/Users/${ana}`, { op: 'Replace', value: { active: 'True' } });
    await world.client('ana').call('getMe', {});
  });

  const SHAPES: Readonly<Record<string, readonly unknown[]>> = {
    'by a path': [{ op: 'replace', path: 'active', value: false }],
    'by a value, as Okta': [{ op: 'replace', value: { active: false } }],
    'by a word, as Entra ID': [{ op: 'Replace', path: 'active', value: 'False' }],
    'by the long name': [{ op: 'Replace', path: `${USER}:active`, value: 'False' }],
    'by the long name in a value': [{ op: 'replace', value: { [`${USER}:active`]: false } }],
    'in capitals': [{ op: 'replace', value: { Active: false } }],
    'in a list of one': [{ op: 'Replace', path: 'active', value: [{ $ref: null, value: 'False' }] }],
    'with a manager beside it': [
      { op: 'Add', path: `${ENTERPRISE}:manager`, value: '26118915-6090-4610-87e4-49d8ca9f808d' },
      { op: 'Replace', path: 'active', value: 'False' },
    ],
    'with a manager in the value': [
      { op: 'replace', value: { active: false, [`${ENTERPRISE}:manager`]: 'b7d1' } },
    ],
  };
  for (const [shape, operations] of Object.entries(SHAPES)) {
    it(`understands that somebody is not active ${shape}`, async () => {
      const ana = await pushPerson(world, 'ana');
      const answer = await patch(world, `/Users/${ana}`, ...operations);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      await refused(world.client('ana').call('getMe', {}), 'account_disabled');
    });
  }

  it('ends what leavers hold and wait for while the trail cannot be written; the record follows', async () => {
    const ana = await pushPerson(world, 'ana');
    const held = await granted();
    await world.ask('ana', 'recsys-deployer', 60);
    const { db } = world.store;
    await sql`create function oam.no_audit() returns trigger language plpgsql as
      $$ begin raise exception 'the trail is full'; end $$`.execute(db);
    await sql`create trigger no_audit before insert on oam.audit execute function oam.no_audit()`.execute(db);
    const answer = await patch(world, `/Users/${ana}`, { op: 'replace', path: 'active', value: false });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    await world.until(held, 'ended');
    assert.deepEqual(world.databricks.members(GROUP), []);
    await sql`drop trigger no_audit on oam.audit`.execute(db);
    const events = async (): Promise<string[]> =>
      (await db.selectFrom('audit').select('event').execute()).map(({ event }) => event);
    while (!(await events()).includes('request.denied')) await delay(20);
    assert.ok((await events()).includes('directory.person_deactivated'));
  });

  it('ends what leavers hold also where the role cannot be read as it was stored', async () => {
    const ana = await pushPerson(world, 'ana');
    const held = await granted();
    await sql`update oam.access_grant set role = '{"sensitivity": "low"}' where id = ${held}`.execute(
      world.store.db,
    );
    const answer = await patch(world, `/Users/${ana}`, { op: 'replace', path: 'active', value: false });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    while (world.databricks.members(GROUP).length > 0) await delay(20);
  });

  it('does not vouch for a duty of hours ago when it speaks of groups', async () => {
    const ana = await pushPerson(world, 'ana');
    await world.client('ana').call('getMe', {});
    const iat = Math.floor((await world.store.nowMs()) / 1_000) + 1;
    await world.advance(3 * HOUR_MS);
    await pushTeam(world, 'chess-club', ana);
    const old = world.client('ana', { iat, exp: iat + 4 * 3_600 });
    const body = { roleId: ROLE, purpose: 'Look into the drop in clicks', minutes: 5 };
    await refused(old.call('createRequest', { body }), 'sign_in_again');
    await world.client('ana').call('createRequest', { body });
  });

  it('ends everything when the person is deleted, or becomes somebody else to the identity provider', async () => {
    const ana = await pushPerson(world, 'ana');
    const first = await granted();
    assert.equal((await scim(world, 'DELETE', `/Users/${ana}`)).status, 204);
    await world.until(first, 'ended');
    // A token from before does not bring them back.
    await world.store.advance(1_000);
    const again = await pushPerson(world, 'ana');
    const second = await granted();
    await patch(world, `/Users/${again}`, { op: 'replace', path: 'externalId', value: 'somebody-else' });
    await world.until(second, 'ended');
  });

  it('knows people by user names in whatever case these are written', async () => {
    await world.close();
    world = await startWorld({ directory: 'userName' });
    const ana = await pushPerson(world, 'ana', { userName: PEOPLE.ana.sub.toUpperCase() });
    const team = await pushTeam(world, 'ml-recsys', ana);
    const held = await granted();
    const token = await world.token('ana');
    await world.store.advance(1_000);
    await patch(world, `/Groups/${team}`, { op: 'remove', path: `members[value eq "${ana}"]` });
    const me = { method: 'GET', path: '/api/v1/me', headers: { authorization: `Bearer ${token}` } } as const;
    assert.doesNotMatch((await world.http(me)).text, /"ml-recsys"/);
    await patch(world, `/Users/${ana}`, { op: 'replace', path: 'active', value: false });
    await world.until(held, 'ended');
  });

  it('takes nothing from a token of before for somebody whom it deleted', async () => {
    const ana = await pushPerson(world, 'ana');
    await world.client('ana').call('getMe', {});
    const headers = { authorization: `Bearer ${await world.token('ana')}` };
    const aude = await pushPerson(world, 'aude');
    const auditor = { authorization: `Bearer ${await world.token('aude')}` };
    await world.http({ method: 'GET', path: '/api/v1/me', headers: auditor });
    await world.store.advance(1_000);
    for (const id of [ana, aude]) assert.equal((await scim(world, 'DELETE', `/Users/${id}`)).status, 204);
    const roles = await world.http({ method: 'GET', path: '/api/v1/roles', headers });
    assert.doesNotMatch(roles.text, new RegExp(ROLE));
    const trail = await world.http({ method: 'GET', path: '/api/v1/audit', headers: auditor });
    assert.equal(trail.status, 403);
  });

  it('keeps groups fresh: who is taken out of the team asks in vain with a token from before', async () => {
    const ana = await pushPerson(world, 'ana');
    const team = await pushTeam(world, 'ml-recsys', ana);
    const before = await world.token('ana');
    const headers = { authorization: `Bearer ${before}` };
    assert.match((await world.http({ method: 'GET', path: '/api/v1/me', headers })).text, /"ml-recsys"/);
    await world.store.advance(1_000);
    await patch(world, `/Groups/${team}`, { op: 'remove', path: `members[value eq "${ana}"]` });
    const me = await world.http({ method: 'GET', path: '/api/v1/me', headers });
    assert.equal(me.status, 200);
    assert.doesNotMatch(me.text, /"ml-recsys"/);
  });

  it('says the groups that a token could not carry, while it speaks', async () => {
    const ana = await pushPerson(world, 'ana');
    const overflowed = { groups: undefined, _claim_names: { groups: 'src1' } };
    await refused(world.client('ana', overflowed).call('listRoles', {}), 'groups_overflowed');
    await pushTeam(world, 'ml-recsys', ana);
    await world.store.advance(1_000);
    const { items } = await world.client('ana', overflowed).call('listRoles', {});
    assert.ok(items.some((role) => role.id === ROLE));
    await world.store.advance(16 * 60_000);
    await refused(world.client('ana', overflowed).call('listRoles', {}), 'groups_overflowed');
  });

  it('loses no member where two are added to one group at the same time', async () => {
    const people = await Promise.all([
      pushPerson(world, 'ana'),
      pushPerson(world, 'omar'),
      pushPerson(world, 'lena'),
    ]);
    const team = await pushTeam(world, 'ml-recsys');
    const answers = await Promise.all(
      people.map((value) =>
        patch(world, `/Groups/${team}`, { op: 'add', path: 'members', value: [{ value }] }),
      ),
    );
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [200, 200, 200],
    );
    const { members } = Group.parse((await scim(world, 'GET', `/Groups/${team}`)).body);
    assert.deepEqual(members.map((member) => member.value).sort(), [...people].sort());
  });

  it('makes an entry of a list that is not there yet, as Entra ID expects', async () => {
    const ana = await pushPerson(world, 'ana');
    const answer = await patch(
      world,
      `/Users/${ana}`,
      { op: 'Add', path: 'addresses[type eq "work"].locality', value: 'Lyon' },
      { op: 'Add', path: 'addresses[type eq "work"].country', value: 'FR' },
    );
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const Addressed = z.object({ addresses: z.array(z.record(z.string(), z.string())) });
    assert.deepEqual(Addressed.parse(answer.body).addresses, [
      { type: 'work', locality: 'Lyon', country: 'FR' },
    ]);
  });

  it('keeps no password', async () => {
    await pushPerson(world, 'ana', { password: 'a-secret-of-ana' });
    const rows = await world.store.db.selectFrom('directory_user').select('attributes').execute();
    assert.doesNotMatch(JSON.stringify(rows), /a-secret-of-ana/);
  });

  it('refuses what is wrong in the words of SCIM, and changes nothing', async () => {
    const ana = await pushPerson(world, 'ana');
    const cases: readonly [HttpRequest['method'], string, unknown, number, string | undefined][] = [
      ['POST', '/Users', { schemas: [USER], userName: PEOPLE.ana.userName.toUpperCase() }, 409, 'uniqueness'],
      ['POST', '/Users', { schemas: [USER] }, 400, 'invalidValue'],
      [
        'POST',
        '/Groups',
        { schemas: [TEAM], displayName: 't', members: [{ value: 'x' }] },
        400,
        'invalidValue',
      ],
      ['PATCH', `/Users/${ana}`, { nothing: true }, 400, 'invalidSyntax'],
      ['PATCH', `/Users/${ana}`, 'text', 400, 'invalidSyntax'],
      ['GET', '/Users/none', undefined, 404, undefined],
      ['GET', '/Users?filter=userName', undefined, 400, 'invalidFilter'],
      ['GET', '/Nothing', undefined, 404, undefined],
      ['GET', '/Users?count=many', undefined, 400, 'invalidValue'],
      ['POST', '/Users', { schemas: [USER], userName: 'a\0b' }, 400, 'invalidValue'],
      ['POST', '/Users', { schemas: [USER], userName: 'new', externalId: '\ud83d' }, 400, 'invalidValue'],
      ['POST', '/Groups', { schemas: [TEAM], displayName: 'a\0' }, 400, 'invalidValue'],
      [
        'PATCH',
        `/Users/${ana}`,
        { schemas: [PATCH], Operations: [{ op: 'replace', value: null }] },
        400,
        'invalidValue',
      ],
    ];
    for (const [method, path, body, status, scimType] of cases) {
      const answer = await scim(world, method, path, body);
      assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
      const failure = Failure.parse(answer.body);
      assert.equal(failure.scimType, scimType, `${method} ${path}`);
    }
    assert.equal(List.parse((await scim(world, 'GET', '/Users')).body).totalResults, 1);
    assert.equal(List.parse((await scim(world, 'GET', '/Groups')).body).totalResults, 0);
  });

  it('ends what somebody holds whose name was cut in the middle of a character', async () => {
    const ana = await pushPerson(world, 'ana', { displayName: 'Ana \ud83d', title: 'a\0' });
    const held = await granted();
    const { status } = await scim(world, 'PUT', `/Users/${ana}`, {
      ...{ schemas: [USER], userName: PEOPLE.ana.userName, externalId: PEOPLE.ana.sub, active: false },
      name: { givenName: 'Ana \ud83d' },
    });
    assert.equal(status, 200);
    await world.until(held, 'ended');
  });

  it('finds people by what not all of them have', async () => {
    const ana = await pushPerson(world, 'ana', { emails: [{ type: 'work', value: 'ana@acme' }] });
    await pushPerson(world, 'omar');
    const found = async (filter: string): Promise<string[]> => {
      const { status, body } = await scim(world, 'GET', `/Users?filter=${encodeURIComponent(filter)}`);
      assert.equal(status, 200, JSON.stringify(body));
      return List.parse(body).Resources.map(({ id }) => id);
    };
    assert.deepEqual(await found('emails[type eq "work"].value eq "ana@acme"'), [ana]);
    assert.deepEqual(await found('name.familyName eq "Silva" or emails[type eq "work"]'), [ana]);
    assert.deepEqual(await found('userName eq "a\\u0000"'), []);
  });

  it('does not say "not found" where its store fails: the client would make everybody anew', async () => {
    const ana = await pushPerson(world, 'ana');
    await world.store.db.schema.alterTable('directory_user').renameTo('directory_user_gone').execute();
    const answer = await scim(world, 'GET', `/Users/${ana}`);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(JSON.stringify(answer.body), /relation/);
  });

  it('opens to its own token only, and its token opens nothing else', async () => {
    for (const token of ['', 'x', `${DIRECTORY_TOKEN}x`, await world.token('lena')]) {
      assert.equal((await scim(world, 'GET', '/Users', undefined, token)).status, 401);
    }
    const me = await world.http({
      method: 'GET',
      path: '/api/v1/me',
      headers: { authorization: `Bearer ${DIRECTORY_TOKEN}` },
    });
    assert.equal(me.status, 401);
  });

  it('is on the record', async () => {
    const ana = await pushPerson(world, 'ana');
    await patch(world, `/Users/${ana}`, { op: 'replace', path: 'active', value: false });
    const { items } = await world.client('aude').call('listAudit', { query: {} });
    const events = items.map((row) => row.event);
    assert.ok(events.includes('directory.person_added'));
    assert.ok(events.includes('directory.person_deactivated'));
  });
});
