import assert from 'node:assert/strict';

import { needIn, refusalsIn } from '../../../src/extension/denials/denial.ts';
import { DenialOffers, type Remedy, remedyFor } from '../../../src/extension/denials/denial-offers.ts';
import { RequestMemory } from '../../../src/extension/requests/request-memory.ts';
import { rolesFor } from '../../../src/extension/requests/smallest-role.ts';
import type { AccessData } from '../../../src/extension/access-view/access-data.ts';
import { aGrant, aMe, ANA, aRequest, aRole, LENA } from './views.ts';

const QUERY = aRole();
const PROMOTE = aRole({
  id: 'recsys-model-promote',
  title: 'Promote the ranker',
  sensitivity: 'medium',
  rights: [
    { kind: 'models', name: 'prod.recsys.ranker', level: 'EXECUTE' },
    { kind: 'models', name: 'prod.recsys.ranker', level: 'MANAGE' },
  ],
});
const DEPLOY = aRole({
  id: 'recsys-deployer',
  title: 'Deploy the endpoints',
  sensitivity: 'high',
  rights: [{ kind: 'endpoints', name: 'recsys-*', level: 'CAN_MANAGE' }],
});
const OPERATE = aRole({
  id: 'operator',
  title: 'Operate the clusters',
  rights: [{ kind: 'clusters', name: '*', level: 'CAN_MANAGE' }],
});
const ROLES = [DEPLOY, PROMOTE, QUERY, OPERATE];

const data = (change: Partial<AccessData> = {}): AccessData => ({
  ...{ me: aMe(), roles: ROLES, requests: [], grants: [], toApprove: [], toReview: [], teamGrants: [] },
  ...change,
});

const QUERY_REFUSED =
  "PERMISSION_DENIED: User ana@example.com does not have permission 'Query' on endpoint 'recsys-ranker-prod'. Please contact the owner.";

describe('the smallest role for a need', () => {
  const ids = (kind: 'endpoints' | 'models' | 'clusters', name: string, level?: string): string[] =>
    rolesFor({ kind, name, level }, ROLES).map(({ id }) => id);

  it('gives enough, and of those that do the least', () => {
    assert.deepEqual(ids('endpoints', 'recsys-ranker-prod', 'CAN_QUERY'), [QUERY.id, DEPLOY.id]);
    assert.deepEqual(ids('endpoints', 'recsys-ranker-prod', 'CAN_VIEW'), [QUERY.id, DEPLOY.id]);
    assert.deepEqual(ids('endpoints', 'recsys-ranker-prod', 'CAN_MANAGE'), [DEPLOY.id]);
    assert.deepEqual(ids('endpoints', 'recsys-candidates-prod', 'CAN_QUERY'), [DEPLOY.id]);
    assert.deepEqual(ids('endpoints', 'fraud-prod', 'CAN_VIEW'), []);
    assert.deepEqual(ids('models', 'prod.recsys.ranker', 'EXECUTE'), [PROMOTE.id]);
    assert.deepEqual(ids('models', 'prod.recsys.ranker', 'APPLY_TAG'), []);
    assert.deepEqual(ids('clusters', '0101-120000-ab', 'CAN_RESTART'), [OPERATE.id]);
  });

  it('is one that can be asked for, where there is one', () => {
    const refused = { ...QUERY, outlook: { kind: 'refused' as const, because: ['Other team.'] } };
    const need = { kind: 'endpoints', name: 'recsys-ranker-prod', level: 'CAN_QUERY' } as const;
    assert.deepEqual(
      rolesFor(need, [refused, DEPLOY]).map(({ id }) => id),
      [DEPLOY.id, QUERY.id],
    );
  });
});

describe('a refusal of Databricks', () => {
  it('is found among other lines, without the colours of a terminal, and nothing else is', () => {
    const text = `I am ana\r\n\u001b[31m${QUERY_REFUSED}\u001b[0m\r\nok\r\n`;
    assert.deepEqual(refusalsIn(text), [QUERY_REFUSED]);
    for (const harmless of ['', 'permission denied (publickey)', 'the set does not have 3 items', 'EACCES'])
      assert.deepEqual(refusalsIn(harmless), []);
    assert.deepEqual(refusalsIn(`PERMISSION_DENIED ${'x'.repeat(10_000)}`), []);
  });

  it('tells what was needed, in the forms in which Databricks says so', () => {
    const need = (text: string) => needIn(text, ROLES);
    assert.deepEqual(need(QUERY_REFUSED), {
      kind: 'endpoints',
      name: 'recsys-ranker-prod',
      level: 'CAN_QUERY',
    });
    assert.deepEqual(
      need("PERMISSION_DENIED: User does not have EXECUTE on Routine or Model 'prod.recsys.ranker'."),
      {
        kind: 'models',
        name: 'prod.recsys.ranker',
        level: 'EXECUTE',
      },
    );
    assert.deepEqual(need("User does not have APPLY TAG on Table 'prod.recsys.activity'."), {
      kind: 'features',
      name: 'prod.recsys.activity',
      level: 'APPLY_TAG',
    });
    assert.deepEqual(
      need('ana does not have Restart permissions on 0101-120000-ab. Please contact the owner.'),
      {
        kind: 'clusters',
        name: '0101-120000-ab',
        level: 'CAN_RESTART',
      },
    );
    assert.deepEqual(need('User ana does not have Manage Run permissions on job 17. Please'), {
      kind: 'jobs',
      name: '17',
      level: 'CAN_MANAGE_RUN',
    });
    assert.deepEqual(need('ana does not have View permissions on experiment 42. Please'), {
      kind: 'experiments',
      name: '42',
      level: 'CAN_READ',
    });
  });

  it('in words that nobody knows is about the thing that it names, and about no other', () => {
    const need = (text: string) => needIn(text, ROLES);
    assert.deepEqual(need('PERMISSION_DENIED: no way to recsys-ranker-prod'), {
      kind: 'endpoints',
      name: 'recsys-ranker-prod',
      level: undefined,
    });
    assert.equal(need('PERMISSION_DENIED: no way to recsys-ranker-prod-2'), undefined);
    assert.equal(need('PERMISSION_DENIED: no way to old.prod.recsys.ranker'), undefined);
    assert.equal(need('PERMISSION_DENIED'), undefined);
  });
});

describe('what is done about a refusal', () => {
  const kind = (change: Partial<AccessData>): Remedy['kind'] => remedyFor(QUERY_REFUSED, data(change)).kind;

  it('is to ask, unless a role that would do is asked for, on its way or held', () => {
    assert.equal(kind({}), 'ask');
    const asked = aRequest({ role: { ...aRequest().role, id: QUERY.id } });
    assert.equal(kind({ requests: [asked] }), 'wait');
    assert.equal(kind({ grants: [aGrant({ state: 'provisioning' })] }), 'wait');
    assert.equal(kind({ grants: [aGrant()] }), 'held');
    assert.equal(kind({ grants: [aGrant({ role: { ...aGrant().role, id: DEPLOY.id } })] }), 'held');
    assert.equal(kind({ roles: [OPERATE] }), 'none');
    const refused = { ...QUERY, outlook: { kind: 'refused' as const, because: [] } };
    assert.equal(kind({ roles: [refused] }), 'none');
  });

  it('is offered once in a while, and not to who does not want it', () => {
    let nowMs = 0;
    let isWanted = true;
    let known: AccessData | undefined;
    const offered: (string | undefined)[] = [];
    const offers = new DenialOffers({
      data: () => known,
      clock: { nowMs: () => nowMs },
      isWanted: () => isWanted,
      offer: ({ role }, program) => offered.push(`${role.id} ${program ?? ''}`),
    });
    const see = (): void => offers.saw(QUERY_REFUSED, 'python score.py');
    see();
    known = data();
    isWanted = false;
    see();
    assert.deepEqual(offered, []);
    isWanted = true;
    see();
    see();
    nowMs += 29 * 60_000;
    see();
    assert.deepEqual(offered, ['recsys-endpoint-query python score.py']);
    nowMs += 2 * 60_000;
    known = data({ grants: [aGrant({ state: 'scheduled', endsAt: null })] });
    see();
    assert.equal(offered.length, 1);
    known = data();
    see();
    assert.equal(offered.length, 2);
  });
});

describe('what is remembered of requests', () => {
  function memory(): RequestMemory {
    const kept = new Map<string, unknown>();
    return new RequestMemory({
      get: (key) => kept.get(key),
      update: (key, value) => {
        kept.set(key, JSON.parse(JSON.stringify(value)));
        return Promise.resolve();
      },
    });
  }

  it('is the last purpose and time of each role, and the purposes of late, of each person', async () => {
    const remembered = memory();
    await remembered.remember(ANA, 'a', { purpose: 'one', minutes: 30 });
    await remembered.remember(ANA, 'a', { purpose: 'two', minutes: 60 });
    await remembered.remember(ANA, 'b', { purpose: 'one', minutes: 15 });
    assert.deepEqual(remembered.lastTime(ANA, 'a'), { purpose: 'two', minutes: 60 });
    assert.deepEqual(remembered.purposes(ANA), ['one', 'two']);
    assert.deepEqual(remembered.purposes(LENA), []);
    assert.equal(remembered.lastTime(LENA, 'a'), undefined);
  });

  it('does not grow for ever, and is nothing where it cannot be read', async () => {
    const remembered = memory();
    for (let index = 0; index < 60; index += 1) {
      await remembered.remember(ANA, `r${String(index)}`, { purpose: `p${String(index)}`, minutes: 1 });
    }
    assert.equal(remembered.purposes(ANA).length, 8);
    assert.equal(remembered.lastTime(ANA, 'r9'), undefined);
    assert.notEqual(remembered.lastTime(ANA, 'r10'), undefined);
    const spoiled = new RequestMemory({ get: () => ({ byRole: 3 }), update: () => Promise.resolve() });
    assert.deepEqual(spoiled.purposes(ANA), []);
  });
});
