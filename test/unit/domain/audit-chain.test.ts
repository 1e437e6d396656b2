import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  type AuditRecord,
  type ChainReport,
  createChainVerifier,
  GENESIS_HASH,
  linkHash,
} from '../../../src/domain/audit-chain.ts';
import type { ChainAnchor, Finding } from '../../../src/domain/audit-findings.ts';
import { runs } from '../../reporting/properties.ts';

/** A sound chain. */
function chain(length: number): AuditRecord[] {
  const rows: AuditRecord[] = [];
  let hash = GENESIS_HASH;
  for (let sequence = 1; sequence <= length; sequence += 1) {
    const row: AuditRecord = {
      ...{ sequence, hash: null, atMs: 1_800_000_000_000 + sequence * 7 },
      id: `00000000-0000-4000-8000-${String(sequence).padStart(12, '0')}`,
      event: sequence % 3 === 0 ? 'grant.active' : 'request.created',
      actor: sequence % 5 === 0 ? null : { iss: 'https://idp.example', sub: `person-${sequence % 17}` },
      ...{ requestId: null, grantId: sequence % 2 === 0 ? `g${sequence}` : null, roleId: 'ranker-query' },
      detail: { purpose: 'Look into the drop in clicks', minutes: sequence % 90, group: '7001' },
    };
    hash = linkHash(hash, sequence, row);
    rows.push({ ...row, hash });
  }
  return rows;
}

/** Anchors at every so many rows. */
function anchorsOf(rows: readonly AuditRecord[], every: number): ChainAnchor[] {
  return rows.flatMap(({ sequence, hash }) =>
    sequence !== null && hash !== null && sequence % every === 0 ? [{ sequence, hash }] : [],
  );
}

function verify(rows: readonly (AuditRecord | undefined)[], anchors: readonly ChainAnchor[]): ChainReport {
  const verifier = createChainVerifier(anchors);
  for (const row of rows) verifier.take(row);
  return verifier.end();
}

/** One thing that somebody may do to a stored chain. */
type Mutation =
  | { readonly kind: 'edit'; readonly at: number; readonly field: keyof AuditRecord }
  | { readonly kind: 'rehash' | 'delete' | 'insert' | 'double' | 'junk' | 'truncate'; readonly at: number }
  | { readonly kind: 'swap' | 'exchange'; readonly at: number; readonly with: number };

const EDITS: { readonly [Field in keyof AuditRecord]: (row: AuditRecord) => AuditRecord } = {
  sequence: (row) => ({ ...row, sequence: (row.sequence ?? 0) + 40 }),
  id: (row) => ({ ...row, id: 'ffffffff-0000-4000-8000-000000000000' }),
  atMs: (row) => ({ ...row, atMs: row.atMs - 1 }),
  event: (row) => ({ ...row, event: 'grant.ended' }),
  actor: (row) => ({ ...row, actor: { iss: 'https://idp.example', sub: 'somebody-else' } }),
  requestId: (row) => ({ ...row, requestId: 'r-forged' }),
  grantId: (row) => ({ ...row, grantId: 'g-forged' }),
  roleId: (row) => ({ ...row, roleId: null }),
  detail: (row) => ({ ...row, detail: { forged: row.detail } }),
  hash: (row) => ({ ...row, hash: 'f'.repeat(64) }),
};

/** What stands somewhere, and the place of the sound chain that it belongs to. */
interface Standing {
  readonly row: AuditRecord | undefined;
  readonly place: number;
}

/** Does it, and says which places of the sound chain it touched. */
function mutate(rows: Standing[], mutation: Mutation): number[] {
  const at = mutation.at % rows.length;
  const { row, place } = rows[at] ?? {};
  if (row === undefined || place === undefined) return [];
  switch (mutation.kind) {
    case 'edit':
      rows[at] = { row: EDITS[mutation.field](row), place };
      return [place];
    case 'rehash': {
      // Whoever owns the database can make every hash behind the change anew.
      let hash = rows[at - 1]?.row?.hash ?? GENESIS_HASH;
      rows[at] = { row: EDITS.detail(row), place };
      for (const [index, standing] of rows.entries()) {
        if (index < at || standing.row === undefined) continue;
        hash = linkHash(hash, standing.row.sequence ?? 0, standing.row);
        rows[index] = { ...standing, row: { ...standing.row, hash } };
      }
      return [place];
    }
    case 'delete':
      rows.splice(at, 1);
      return [place];
    case 'insert': {
      const forged = EDITS.event({ ...row, id: 'eeeeeeee-0000-4000-8000-000000000000' });
      const previous = rows[at - 1]?.row?.hash ?? GENESIS_HASH;
      const hash = linkHash(previous, row.sequence ?? 0, forged);
      rows.splice(at, 0, { row: { ...forged, hash }, place });
      return [place];
    }
    case 'double':
      rows.splice(at, 0, { row, place });
      return [place];
    case 'junk':
      rows[at] = { row: undefined, place };
      return [place];
    case 'truncate':
      return rows.splice(at).map((gone) => gone.place);
    case 'swap':
    case 'exchange': {
      const index = mutation.with % rows.length;
      const other = rows[index];
      if (other?.row === undefined || index === at) return [];
      // As lines of a file, or as contents under each other's number and hash, as in a table.
      const under = (content: AuditRecord, seat: AuditRecord): AuditRecord => ({
        ...{ ...content, sequence: seat.sequence, hash: seat.hash },
      });
      rows[at] = { row: mutation.kind === 'swap' ? other.row : under(other.row, row), place };
      rows[index] = { row: mutation.kind === 'swap' ? row : under(row, other.row), place: other.place };
      return [place, other.place];
    }
  }
}

const standing = (rows: readonly AuditRecord[]): Standing[] =>
  rows.map((row, position) => ({ row, place: position + 1 }));

const index = fc.nat({ max: 1_000_000 });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constant('edit' as const),
    at: index,
    field: fc.constantFrom(...(Object.keys(EDITS) as (keyof AuditRecord)[])),
  }),
  fc.record({
    kind: fc.constantFrom('rehash', 'delete', 'insert', 'double', 'junk', 'truncate'),
    at: index,
  }),
  fc.record({ kind: fc.constantFrom('swap', 'exchange'), at: index, with: index }),
);

/** In a finding, or as far from one as two changes can blur it: a block of rows that moved has two descriptions. */
const covers = (findings: readonly Finding[], sequence: number, slack: number): boolean =>
  findings.some(({ from, to }) => from - slack <= sequence && sequence <= to + slack);

describe('the verifier of the chain', function () {
  this.timeout(60_000);
  const short = chain(70);
  const small = chain(120);
  const large = chain(10_000);

  it('finds nothing wrong with a sound chain, and says how far anchors vouch for it', () => {
    assert.deepEqual(verify(large, anchorsOf(large, 3_000)), {
      ...{ rows: 10_000, unchained: 0, anchoredTo: 9_000, findings: [] },
      head: { sequence: 10_000, hash: large.at(-1)?.hash },
    });
    assert.deepEqual(verify([], []), {
      ...{ rows: 0, unchained: 0, anchoredTo: 0, findings: [] },
      head: { sequence: 0, hash: GENESIS_HASH },
    });
  });

  it('counts rows that have yet to be chained', () => {
    const waiting = small.map((row) => ({ ...row, sequence: null, hash: null }));
    assert.equal(verify([...small, ...waiting.slice(0, 3)], []).unchained, 3);
  });

  const NAMED: readonly (readonly [string, Mutation, readonly Finding[]])[] = [
    ['an edit', { kind: 'edit', at: 6, field: 'detail' }, [at('rewritten', 1, 50), at('changed', 7)]],
    ['an edited hash', { kind: 'edit', at: 6, field: 'hash' }, [at('changed', 7)]],
    [
      'an edited number',
      { kind: 'edit', at: 6, field: 'sequence' },
      [at('unproven', 1, 6), at('misplaced', 7)],
    ],
    ['a deletion', { kind: 'delete', at: 6 }, [at('unproven', 1, 6), at('missing', 7), at('unproven', 8)]],
    ['a deleted first row', { kind: 'delete', at: 0 }, [at('missing', 1), at('unproven', 2)]],
    [
      'the row at an anchor, deleted: the anchor itself vouches for the next',
      { kind: 'delete', at: 49 },
      [at('unproven', 1, 49), at('missing', 50)],
    ],
    ['hashes made anew', { kind: 'rehash', at: 56 }, [at('rewritten', 51, 100)]],
    ['a cut', { kind: 'truncate', at: 80 }, [at('unproven', 51, 80), at('truncated', 81, 100)]],
    ['a row that comes twice', { kind: 'double', at: 6 }, [at('misplaced', 7)]],
    ['a row put in between', { kind: 'insert', at: 6 }, [at('rewritten', 1, 50), at('misplaced', 7)]],
  ];
  for (const [what, one, expected] of NAMED) {
    it(`names ${what}`, () => {
      const rows = standing(small);
      mutate(rows, one);
      const found = verify(
        rows.map(({ row }) => row),
        anchorsOf(small, 50),
      );
      assert.deepEqual(found.findings, expected);
    });
  }

  it('shows that two anchors contradict each other', () => {
    const anchors = [...anchorsOf(small, 50), { sequence: 50, hash: '0'.repeat(64) }];
    assert.deepEqual(verify(small, anchors).findings, [at('contradicted', 50)]);
  });

  /** Every place that was touched lies in a finding, as far as anchors reach; a cut behind the last one cannot show. */
  function assertFound(sound: readonly AuditRecord[], every: number, mutations: readonly Mutation[]): void {
    const anchors = anchorsOf(sound, every);
    const anchored = Math.max(0, ...anchors.map(({ sequence }) => sequence));
    const standings = standing(sound);
    const touched = mutations.flatMap((one) => mutate(standings, one));
    const rows = standings.map(({ row }) => row);
    const unchanged = rows.length === sound.length && rows.every((row, place) => row === sound[place]);
    const { findings } = verify(rows, anchors);
    if (unchanged) {
      assert.deepEqual(findings, []);
      return;
    }
    const provable = touched.filter((sequence) => sequence <= anchored);
    if (provable.length > 0) assert.notDeepEqual(findings, [], 'nothing was found');
    const unseen = provable.filter((sequence) => !covers(findings, sequence, mutations.length - 1));
    assert.deepEqual(unseen, [], `not in ${JSON.stringify(findings.slice(0, 8))}`);
  }

  it('finds and locates any one change', () => {
    fc.assert(
      fc.property(mutation, (one) => {
        assertFound(short, 20, [one]);
      }),
      { numRuns: runs(500) },
    );
  });

  it('finds and locates any two', () => {
    fc.assert(
      fc.property(mutation, mutation, (one, other) => {
        assertFound(short, 20, [one, other]);
      }),
      { numRuns: runs(800) },
    );
  });

  it('finds and locates them in a chain of 10 000', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 2 }), (some) => {
        assertFound(large, 1_000, some);
      }),
      { numRuns: runs(25) },
    );
  });
});

function at(kind: Finding['kind'], from: number, to = from): Finding {
  return { kind, from, to };
}
