import assert from 'node:assert/strict';

import fc from 'fast-check';

import { GRANT_STATES } from '../../../src/domain/lifecycle.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { DAY_MS, HOUR_MS } from '../../../src/domain/time.ts';
import type { AccessData } from '../../../src/extension/access-view/access-data.ts';
import { Changes } from '../../../src/extension/changes.ts';
import { csvLine, csvOf } from '../../../src/extension/csv.ts';
import {
  byPerson,
  endingFacts,
  endOf,
  loadTeam,
  outlives,
  overlooked,
} from '../../../src/extension/team/team-data.ts';
import { teamCsv } from '../../../src/extension/team/team-csv.ts';
import { TeamModel } from '../../../src/extension/team/team-model.ts';
import { factWords, memberWords, personWords, unreadWords } from '../../../src/extension/team/team-words.ts';
import type { LeaseView } from '../../../src/protocol/leases.ts';
import { UNREAD_REASONS } from '../../../src/protocol/team.ts';
import { fakeControlPlane } from './control-plane.ts';
import { english } from './localise.ts';
import { aGrant, aMe, ANA, LENA } from './views.ts';
import { aLease, aMember, at, aTeam, aToken, NOW, reader } from './team-views.ts';

describe('what a lead sees', () => {
  it('comes with the soonest end first, by person, and what has no known end last', () => {
    const lena = aGrant({ id: 'g2', principal: LENA, endsAt: at(HOUR_MS) });
    const ahead = aGrant({ id: 'g3', state: 'scheduled', endsAt: null });
    const facts = endingFacts(aTeam({ grants: [ahead, lena, aGrant({ endsAt: at(2 * HOUR_MS) })] }));
    assert.deepEqual(
      facts.map((fact) =>
        fact.kind === 'lease' ? fact.lease.id : fact.kind === 'grant' ? fact.grant.id : '',
      ),
      ['l1', 'g2', 'g1', 'g3'],
    );
    assert.equal(endOf(facts[3] ?? assert.fail()), undefined);
    assert.deepEqual(
      byPerson(facts).map(({ person, facts: own }) => [person.sub, own.length]),
      [
        ['ana', 3],
        ['lena', 1],
      ],
    );
  });

  it('names what outlives its access, before its end and after it', () => {
    const ends = aGrant({ endsAt: at(HOUR_MS) });
    const is = (lease: Partial<LeaseView>): boolean =>
      outlives({ kind: 'lease', lease: aLease(lease), grant: ends });
    assert.equal(is({ expiresAt: at(HOUR_MS) }), false);
    assert.equal(is({ expiresAt: at(HOUR_MS + 1_000) }), true);
    assert.equal(is({ outlives: { until: at(60_000), what: 'right' } }), true);
  });

  it('is who waits, the longest first, then who was given nothing for days', () => {
    const members = [
      aMember({ person: { ...ANA, sub: 'served' }, lastApprovedAt: at(-DAY_MS) }),
      aMember({ person: { ...ANA, sub: 'holds' }, openGrants: 1 }),
      aMember({ person: { ...ANA, sub: 'leads' }, duty: 'lead' }),
      aMember({ person: { ...ANA, sub: 'never' } }),
      aMember({ person: { ...ANA, sub: 'waits' }, waitingSince: at(-HOUR_MS) }),
      aMember({ person: { ...ANA, sub: 'waits long' }, waitingSince: at(-3 * DAY_MS) }),
      aMember({ person: { ...ANA, sub: 'long ago' }, lastApprovedAt: at(-9 * DAY_MS) }),
    ];
    const shown = overlooked(members, NOW);
    assert.deepEqual(
      shown.map(({ person }) => person.sub),
      ['waits long', 'waits', 'never', 'long ago'],
    );
    assert.deepEqual(
      shown.map((member) => memberWords(reader, member).description),
      ['waiting for 3 days', 'waiting for 1 hour', 'never given anything', 'nothing for 9 days'],
    );
  });

  it('reads to a screen reader, and says nothing by an icon alone', () => {
    const stuck = aGrant({ state: 'revoke_stuck' });
    const facts = [
      ...endingFacts(aTeam({ grants: [stuck] })),
      { kind: 'token', token: aToken() } as const,
      { kind: 'token', token: aToken({ expiresAt: at(DAY_MS), lastUsedAt: at(-5 * DAY_MS) }) } as const,
    ];
    for (const fact of facts) {
      const words = factWords(reader, fact);
      assert(words.spoken.includes(words.description ?? '?') && words.tooltip.length > 2, words.label);
    }
    assert.equal(
      factWords(reader, { kind: 'token', token: aToken() }).description,
      'without an end, made 400 days ago, no use is known',
    );
    assert.match(personWords(reader, byPerson(facts)[0] ?? assert.fail()).description ?? '', / in all$/);
    for (const because of UNREAD_REASONS)
      assert.match(unreadWords(english, 'ml-prod', because).spoken, /\. /);
  });

  it('tells a lead of access that does not end, not its holder', () => {
    const grant = aGrant({
      ...{ state: 'revoke_stuck', removingSince: at(-60_000), endsAt: at(HOUR_MS) },
      trouble: 'Databricks does not let OAM change the group of this role. Tell your administrator.',
    });
    const words = factWords(reader, { kind: 'grant', grant }, false);
    assert.match(words.description ?? '', /^Ana · removal fails since \d\d:29$/);
    const said = words.tooltip.join('\n');
    assert.match(said, /Ana still has this access at ml-prod\./);
    assert.match(said, /What stands in the way: Databricks does not let OAM/);
    assert.match(said, /OAM tries again by itself/);
    assert.match(said, /ask an administrator of Databricks/);
    const unknown = { ...grant, removingSince: null, trouble: null };
    assert.equal(factWords(reader, { kind: 'grant', grant: unknown }).description, 'removal fails');
    // It ends at no time that anybody set.
    assert.equal(endOf({ kind: 'grant', grant }), undefined);
  });

  it('is spoken of by name, nowhere as if the lead held it', () => {
    for (const state of GRANT_STATES) {
      const fact = { kind: 'grant', grant: aGrant({ state, endsAt: at(HOUR_MS) }) } as const;
      assert.doesNotMatch(factWords(reader, fact).spoken, /\byou\b/i, state);
    }
  });

  it('is read page by page to its end', async () => {
    const cursors: (string | undefined)[] = [];
    const { client } = fakeControlPlane({
      listGrants: ({ query }) => {
        cursors.push(query?.cursor);
        return query?.cursor === undefined
          ? { items: [aGrant()], nextCursor: 'more' }
          : { items: [aGrant({ id: 'g2' })], nextCursor: null };
      },
      listTeamLeases: () => ({ items: [], nextCursor: null }),
      listTeamMembers: () => ({ items: [], nextCursor: null }),
      listTeamTokens: () => ({
        ...{ items: [], nextCursor: null },
        unread: [{ workspace: 'ml-prod', because: 'not_configured' }],
      }),
    });
    const team = await loadTeam(client);
    assert.deepEqual([team.grants.length, cursors, team.unread.length], [2, [undefined, 'more'], 1]);
  });
});

describe('the model of a team', () => {
  const data = (lead: boolean): AccessData => ({
    ...{ me: aMe({ ...LENA, teams: [{ name: 'recsys', lead }] }), roles: [], requests: [], grants: [] },
    ...{ toApprove: [], toReview: [] },
  });

  function modelFor(lead: boolean) {
    const { client, asked } = fakeControlPlane({
      listGrants: () => ({ items: [aGrant()], nextCursor: null }),
      listTeamLeases: () => ({ items: [], nextCursor: null }),
      listTeamMembers: () => ({ items: [], nextCursor: null }),
      listTeamTokens: () => ({ items: [], nextCursor: null, unread: [] }),
    });
    const changes = new Changes<void>();
    const access = { data: data(lead), onDidChange: changes.on };
    const clients = { current: client };
    const team = new TeamModel({ model: access, client: () => clients.current, logger: silentLogger });
    return { team, changes, access, asked, clients };
  }

  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('asks nothing for who leads nobody, and nothing while nobody looks', async () => {
    const { team, changes, asked } = modelFor(false);
    team.watched('view', true);
    changes.fire();
    await settled();
    assert.deepEqual(asked, []);
    const lead = modelFor(true);
    lead.changes.fire();
    await settled();
    assert.deepEqual(lead.asked, []);
    lead.team.watched('view', true);
    await settled();
    assert.equal(lead.team.data?.grants.length, 1);
    team.dispose();
    lead.team.dispose();
  });

  it('reads again what happens, and keeps nothing for the next person', async () => {
    const { team, changes, access, asked, clients } = modelFor(true);
    team.watched('view', true);
    changes.fire();
    await settled();
    const before = asked.length;
    changes.fire();
    await settled();
    assert(asked.length > before);
    team.watched('view', false);
    clients.current = fakeControlPlane({}).client;
    changes.fire();
    assert.equal(team.state.kind, 'unknown');
    access.data = data(false);
    changes.fire();
    await team.read();
    assert.equal(team.data, undefined);
    team.dispose();
  });
});

describe('a table for a spreadsheet', () => {
  it('runs nothing that somebody wrote', () => {
    for (const text of [
      '=1+1',
      '+1',
      '-1',
      '@SUM(A1)',
      '\t=1',
      ' =1',
      '\r=1',
      '\n=1',
      '|calc',
      '\u00a0=1',
      '＝1',
    ]) {
      assert.match(csvLine([text]), /^"?'/, JSON.stringify(text));
    }
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('=', '+', '-', '@', '"', ',', '\n', '\t', ' ', 'a', "'") }),
        (text) => {
          const cell = csvLine([text]).replace(/^"/, '');
          assert.doesNotMatch(cell, /^\s*[=+\-@]/);
        },
      ),
    );
  });

  it('keeps its cells, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), (row) => {
        const back = parseCsv(csvOf(['h'], [row]).slice(1))[1] ?? [];
        assert.deepEqual(
          back.map((cell, index) => (cell === `'${row[index] ?? ''}` ? cell.slice(1) : cell)),
          row,
        );
      }),
    );
  });

  it('holds all that ends, tokens too', () => {
    const evil = aGrant({ purpose: '=HYPERLINK("http://e.x")', endsAt: at(2 * HOUR_MS) });
    const rows = parseCsv(teamCsv(reader, aTeam({ grants: [evil] })).slice(1));
    assert.deepEqual(
      rows.slice(1).map((row) => row[0]),
      ['lease', 'grant', 'token'],
    );
    assert.equal(rows[2]?.[10], `'=HYPERLINK("http://e.x")`);
    assert.equal(rows[2]?.[7], at(2 * HOUR_MS));
  });
});

/** Cells of comma-separated values (RFC 4180), by other means than what writes them. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let rest = text;
  while (rest !== '') {
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest);
    const cell = quoted ?? /^([^,\r\n]*)/.exec(rest);
    row.push(quoted === null ? (cell?.[1] ?? '') : (quoted[1] ?? '').replaceAll('""', '"'));
    rest = rest.slice(cell?.[0].length ?? 0);
    if (rest.startsWith(',')) rest = rest.slice(1);
    else {
      rows.push(row);
      row = [];
      rest = rest.replace(/^\r\n/, '');
    }
  }
  return rows;
}
