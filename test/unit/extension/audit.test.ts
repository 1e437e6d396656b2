import assert from 'node:assert/strict';

import { AUDIT_EVENTS } from '../../../src/domain/audit-events.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import type { AccessData } from '../../../src/extension/access-view/access-data.ts';
import { AuditTrail } from '../../../src/extension/audit/audit-trail.ts';
import { filterWords, grantStory, rowWords } from '../../../src/extension/audit/audit-words.ts';
import { eventWords } from '../../../src/extension/audit/event-words.ts';
import { exportedLines, EXPORT_FORMATS } from '../../../src/extension/audit/export-trail.ts';
import { KeptAnchors } from '../../../src/extension/audit/kept-anchors.ts';
import { judgementDocument, judgementWords } from '../../../src/extension/audit/verify-words.ts';
import { Changes } from '../../../src/extension/changes.ts';
import {
  type AnchorLine,
  AuditFilter,
  type AuditKeys,
  type AuditRowView,
} from '../../../src/protocol/audit.ts';
import type { Judgement } from '../../../src/protocol/audit-verify.ts';
import { fakeControlPlane } from './control-plane.ts';
import { english } from './localise.ts';
import { aGrant, aMe, ANA } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');
const reader = { l10n: english, locale: 'en-GB', nowMs: NOW };

function aRow(change: Partial<AuditRowView> = {}): AuditRowView {
  return {
    ...{ sequence: 7, id: '5c1f9b52-6f0e-4a3b-9d7c-0a1b2c3d4e5f', at: '2026-11-23T10:00:00.000Z' },
    ...{ event: 'grant.active', actor: ANA, requestId: 'q1', grantId: 'g1', roleId: 'r1' },
    ...{ detail: { purpose: '=1+1 | **bold**' }, hash: 'h' },
    ...change,
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the trail that an auditor looks at', () => {
  function trailFor(readsAudit: boolean, pages: readonly string[] = ['c1']) {
    const queries: unknown[] = [];
    const { client } = fakeControlPlane({
      listAudit: ({ query }) => {
        queries.push(query);
        const at = query?.cursor === undefined ? 0 : pages.indexOf(query.cursor) + 1;
        return { items: [aRow({ id: `row-${at}` })], nextCursor: pages[at] ?? null };
      },
    });
    const changes = new Changes<void>();
    const data: AccessData = {
      ...{ me: aMe({ readsAudit }), roles: [], requests: [], grants: [], toApprove: [], toReview: [] },
    };
    const clients = { current: client };
    const trail = new AuditTrail({
      model: { data, onDidChange: changes.on },
      client: () => clients.current,
      logger: silentLogger,
    });
    changes.fire();
    return { trail, changes, queries, clients };
  }

  it('is read once when it is opened, and page by page', async () => {
    const { trail, changes, queries } = trailFor(true);
    await trail.open();
    changes.fire();
    await trail.open();
    assert.equal(queries.length, 1);
    await trail.more();
    await trail.more();
    assert.equal(trail.state.kind === 'read' && trail.state.rows.length, 2);
    assert.deepEqual(queries, [{ limit: 50 }, { limit: 50, cursor: 'c1' }]);
  });

  it('is not asked for by somebody who may not read it', async () => {
    const { trail, queries } = trailFor(false);
    await trail.open();
    await trail.search({ event: 'grant.*' });
    assert.deepEqual([queries, trail.state.kind], [[], 'unread']);
  });

  it('shows the answer to the last search, and nothing to the next person', async () => {
    const { trail, changes, clients, queries } = trailFor(true, []);
    await Promise.all([trail.search({ event: 'grant.*' }), trail.search({ actor: 'ana' })]);
    await settled();
    assert.deepEqual(trail.filter, { actor: 'ana' });
    assert.equal(queries.length, 2);
    clients.current = fakeControlPlane({}).client;
    changes.fire();
    assert.deepEqual([trail.state.kind, trail.filter], ['unread', {}]);
    await trail.read();
    assert.equal(trail.state.kind, 'failed');
  });

  it('reads to a screen reader, with who, when and about what', () => {
    const words = rowWords(reader, aRow());
    assert.match(words.spoken, /^Access began, Ana · r1 · .* · grant\.active, /);
    assert.equal(words.tooltip[0], 'grant.active');
    assert(words.tooltip.includes('Row 7 of the chain') && words.tooltip.includes('Grant: g1'));
    assert(rowWords(reader, aRow({ sequence: null, actor: null })).tooltip.includes('Not chained yet'));
    assert.equal(
      filterWords(english, { event: 'grant.*', actor: 'ana', from: '2026-01-01T00:00:00.000Z' }),
      'event grant.*, by ana, from 2026-01-01T00:00:00.000Z',
    );
    assert.equal(filterWords(english, {}), '');
  });

  it('is a grant from its request to its last token, in which nothing is marked up by others', () => {
    const lease = {
      ...{ id: 'l1', grantId: 'g1', state: 'outlives' as const, issuedAt: aRow().at, expiresAt: aRow().at },
      ...{ renewals: 0, renewedAt: null, revokedAt: null },
      outlives: { until: '2026-11-23T11:00:00.000Z', what: 'tokenOnly' as const },
    };
    const text = grantStory(reader, {
      grant: aGrant(),
      rows: [
        aRow({ event: 'request.created' }),
        aRow({ detail: { purpose: '=1+1 | **bold**', minutes: 30, endsAtMs: NOW } }),
      ],
      leases: [lease],
    });
    const [asked, began] = ['Access was requested (request.created)', 'Access began (grant.active)'];
    const read = text.replaceAll('\\', '');
    assert(read.includes(asked) && read.indexOf(asked) < read.indexOf(began));
    assert.match(text, /\\\*\\\*bold\\\*\\\*/);
    assert.equal(text.split('\n').filter((line) => line.startsWith('| ')).length, 4);
    assert.match(text.replaceAll('\\', ''), /carries this right no more/);
    // An auditor reads of somebody else, and no count of milliseconds.
    assert.doesNotMatch(text, /\byou\b/);
    assert.match(read.replaceAll('\u00a0', ' '), /minutes: 30; endsAt: 23 Nov 2026 \d\d:30:05/);
  });
});

describe('what an event of the trail is called', () => {
  it('is said in words, each in its own', () => {
    const words = AUDIT_EVENTS.map((event) => eventWords(english, event));
    for (const [index, said] of words.entries()) {
      assert.match(said, /^[A-Z][A-Za-z' ,-]+[a-z]$/, AUDIT_EVENTS[index]);
    }
    assert.equal(new Set(words).size, AUDIT_EVENTS.length);
    assert.equal(new Set(AUDIT_EVENTS).size, AUDIT_EVENTS.length);
  });

  it('is its name where this version does not know it, and where a name is one of no event', () => {
    for (const event of ['grant.teleported', 'toString', '__proto__', '']) {
      assert.equal(eventWords(english, event), event);
    }
    const words = rowWords(reader, aRow({ event: 'grant.teleported' }));
    assert.equal(words.label, 'grant.teleported');
    assert.doesNotMatch(words.description ?? '', /teleported/);
  });

  it('can be searched for', () => {
    for (const event of AUDIT_EVENTS) assert.deepEqual(AuditFilter.parse({ event }), { event });
  });
});

describe('an export out of the editor', () => {
  const lines = async function* (all: readonly string[]): AsyncGenerator<string> {
    for (const line of all) yield await Promise.resolve(line);
  };
  const END = JSON.stringify({ end: { sequence: 7, hash: 'h', unchained: 0, epoch: 'e' } });

  async function collect(source: AsyncIterable<string>): Promise<string[]> {
    const all: string[] = [];
    for await (const line of source) all.push(line);
    return all;
  }

  it('has each form, and a table in which nothing runs', async () => {
    const evil = aRow({ actor: { ...ANA, displayName: '=cmd()' } });
    const all = [JSON.stringify(evil), END];
    assert.deepEqual(await collect(exportedLines(lines(all), 'ndjson')), all);
    const [event] = await collect(exportedLines(lines(all), 'ocsf'));
    assert.match(event ?? '', /"class_uid":3006/);
    const [header, row, ...others] = await collect(exportedLines(lines(all), 'csv'));
    assert.match(header ?? '', /^\ufeffsequence,at,event,/);
    assert.match(row ?? '', /^7,2026-11-23T10:00:00\.000Z,grant\.active,"?'=cmd\(\)/);
    assert.deepEqual(others, []);
  });

  it('fails where it broke off, in every form', async () => {
    for (const format of EXPORT_FORMATS) {
      await assert.rejects(collect(exportedLines(lines([JSON.stringify(aRow())]), format)), {
        code: 'export_cut_off',
      });
    }
  });
});

describe('anchors that a machine keeps', () => {
  const keys = (n: string): AuditKeys => ({
    keys: [{ kty: 'RSA', n, e: 'AQAB', kid: n, alg: 'RS256', use: 'sig' }],
  });
  const anchor = (sequence: number): AnchorLine => ({
    ...{ sequence, hash: 'h', at: '2026-11-23T10:00:00.000Z', epoch: 'e', kid: 'k' },
    jws: `jws-${sequence}`,
  });

  it('are the first and the newest, with the keys that were seen first', async () => {
    const stored = new Map<string, unknown>();
    const kept = new KeptAnchors({
      get: (key) => stored.get(key),
      update: (key, value) => Promise.resolve(void stored.set(key, value)),
    });
    assert.equal(kept.read('https://oam'), undefined);
    await kept.keep('https://oam', keys('first'), [anchor(1), anchor(2)]);
    await kept.keep(
      'https://oam',
      keys('second'),
      Array.from({ length: 300 }, (_, index) => anchor(index + 2)),
    );
    const read = kept.read('https://oam');
    assert.deepEqual([read?.keys, read?.anchors.length], [keys('first'), 200]);
    assert.deepEqual([read?.anchors[0]?.sequence, read?.anchors.at(-1)?.sequence], [1, 301]);
    assert.equal(kept.read('https://other'), undefined);
    stored.set('anchors:https://oam', { nonsense: true });
    assert.equal(kept.read('https://oam'), undefined);
  });
});

describe('what a verification says', () => {
  const judgement: Judgement = {
    ...{ holds: true, rows: 9, lastSequence: 9, unchained: 0, anchors: 2, anchoredTo: 7, findings: [] },
    ...{ anchorProblems: [], end: 'said', sameStore: true },
  };

  it('names what holds, how far, and by what', () => {
    const text = judgementDocument(reader, judgement, { kept: 0, keysPinned: false }).replaceAll('\\', '');
    assert.match(text, /^# The trail holds: 9 rows, vouched for up to row 7\./);
    assert.match(text, /Rows behind that, which could be cut off unseen: 2/);
    assert.match(text, /had kept no anchor yet/);
    const later = judgementDocument(reader, judgement, { kept: 3, keysPinned: true }).replaceAll('\\', '');
    assert.match(later, /3 anchors were kept on this machine/);
    const unanchored = judgementDocument(
      reader,
      { ...judgement, anchors: 0, anchoredTo: 0 },
      { kept: 0, keysPinned: false },
    ).replaceAll('\\', '');
    assert.match(unanchored, /^# The trail holds: 9 rows, and nothing outside of it vouches for them yet\./);
  });

  it('names each thing that does not hold', () => {
    const kinds = [
      'changed',
      'missing',
      'misplaced',
      'unproven',
      'rewritten',
      'truncated',
      'contradicted',
    ] as const;
    const bad: Judgement = {
      ...judgement,
      holds: false,
      findings: kinds.map((kind, index) => ({ kind, from: index + 1, to: index + 2 })),
      anchorProblems: (['unsigned', 'another_store', 'unreadable'] as const).map((kind) => ({
        kind,
        line: 1,
      })),
      ...{ end: 'missing', sameStore: false },
    };
    assert.match(judgementWords(english, bad), /^THE TRAIL DOES NOT HOLD/);
    const text = judgementDocument(reader, bad, { kept: 0, keysPinned: false });
    assert.equal(text.split('\n').filter((line) => /^- Rows? \d/.test(line)).length, kinds.length);
    assert.equal(text.split('\n').filter((line) => line.startsWith('- Anchor 1')).length, 3);
  });
});
