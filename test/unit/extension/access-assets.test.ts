import assert from 'node:assert/strict';

import { AccessFilter, NO_FILTER } from '../../../src/extension/access-view/access-filter.ts';
import { type AccessNode, rowNodes, sectionNodes } from '../../../src/extension/access-view/access-nodes.ts';
import { assetAddress } from '../../../src/extension/access-view/asset-address.ts';
import { assetNodes, linesAfter } from '../../../src/extension/access-view/asset-nodes.ts';
import { grantsByGroup, rightsWords } from '../../../src/extension/access-view/asset-words.ts';
import type { Asset, AssetList, Through } from '../../../src/extension/access-view/entitlements.ts';
import { GrowingList } from '../../../src/extension/access-view/growing-list.ts';
import { contextValue } from '../../../src/extension/access-view/node-capabilities.ts';
import { nodeWords } from '../../../src/extension/access-view/node-words.ts';
import { type AssetNode, SeenRights } from '../../../src/extension/access-view/seen-rights.ts';
import { isTone, TONE_MARKS } from '../../../src/extension/access-view/tones.ts';
import { english } from './localise.ts';
import { aGrant, aMe, aRequest, aRole, PROD } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');
const reader = { l10n: english, locale: 'en-GB', nowMs: NOW };

const asset = (name: string): Asset => ({ kind: 'models', id: name, name, note: undefined });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const noFailure = (): AccessNode[] => assert.fail('Nothing has failed.');

const MODELS: Extract<AccessNode, { kind: 'assets' }> = {
  kind: 'assets',
  assetKind: 'models',
  workspace: PROD,
  count: undefined,
};

describe('a long list of assets', () => {
  it('can be shown from its first page on, stays in order, and tells when it grew', async () => {
    const end = Promise.withResolvers<AssetList>();
    let page: (assets: readonly Asset[]) => void = () => undefined;
    let grew = 0;
    const list = new GrowingList(
      (onPage) => {
        page = (assets) => void onPage(assets);
        return end.promise;
      },
      () => {
        grew += 1;
      },
    );
    page([asset('d'), asset('b')]);
    await list.begun;
    const names = (): string[] =>
      list.soFar.kind === 'listed' ? list.soFar.assets.map(({ name }) => name) : [];
    assert.deepEqual(names(), ['b', 'd']);
    assert.equal(grew, 0);
    page([asset('c'), asset('a'), asset('e')]);
    assert.deepEqual(names(), ['a', 'b', 'c', 'd', 'e']);
    assert.equal(grew, 1);
    end.resolve({ kind: 'listed', assets: [asset('a')] });
    await list.whole();
    await settle();
    assert.deepEqual(list.soFar, { kind: 'listed', assets: [asset('a')], isWhole: true });
    assert.equal(grew, 2);
  });

  it('that fails before its first page fails for whoever waits for that', async () => {
    const list = new GrowingList(
      () => Promise.reject(new Error('away')),
      () => assert.fail(),
    );
    await assert.rejects(list.begun, /away/);
    await assert.rejects(list.whole(), /away/);
  });

  /** A list of pages of 200, `m00000` on, as Databricks hands them over: each when it is asked for. */
  function paged(pages: number, o: { failsAt?: number; descending?: boolean } = {}) {
    const all = Array.from({ length: pages * 200 }, (_, index) =>
      asset(`m${String(index).padStart(5, '0')}`),
    );
    if (o.descending === true) all.reverse();
    const asked: number[] = [];
    let grew = 0;
    const list = new GrowingList(
      async (onPage) => {
        for (let page = 0; page < pages; page += 1) {
          asked.push(page);
          if (page === o.failsAt) throw new Error('away');
          await onPage(all.slice(page * 200, page * 200 + 200));
        }
        return { kind: 'listed', assets: all.toSorted((a, b) => a.name.localeCompare(b.name)) };
      },
      () => {
        grew += 1;
      },
    );
    const soFar = () => (list.soFar.kind === 'listed' ? list.soFar : assert.fail());
    return { list, asked, soFar, all, grown: () => grew };
  }

  it('of ten thousand is read no further than somebody looks', async () => {
    const { list, asked, soFar } = paged(50);
    await settle();
    assert.equal(asked.length, 5);
    list.want(700);
    await settle();
    assert.equal(asked.length, 5);
    list.want(1_200);
    await settle();
    assert.equal(asked.length, 6);
    assert.deepEqual([soFar().assets.length, soFar().isWhole], [1_200, false]);
    list.want(9_900);
    await settle();
    assert.deepEqual([soFar().assets.length, soFar().isWhole], [10_000, false]);
    list.want(10_001);
    await settle();
    assert.deepEqual([asked.length, soFar().isWhole], [50, true]);
  });

  it('leaves what is shown where it is when more is read, and is by name once a search has read all', async () => {
    const { list, soFar, all } = paged(10, { descending: true });
    await settle();
    const first = soFar().assets;
    assert.deepEqual(first, all.slice(0, 1_000).toReversed());
    list.want(1_001);
    await settle();
    assert.deepEqual(soFar().assets.slice(0, 1_000), first);
    assert.deepEqual(soFar().assets.slice(1_000), all.slice(1_000, 1_200).toReversed());
    const whole = await list.whole();
    assert.deepEqual(whole, { kind: 'listed', assets: all.toReversed() });
    assert.deepEqual(soFar().assets, all.toReversed());
  });

  it('that breaks off keeps what was read, says why, and says that it ended', async () => {
    const { list, soFar, grown } = paged(50, { failsAt: 6 });
    await settle();
    const before = grown();
    list.want(2_000);
    await settle();
    assert.equal(grown(), before + 2);
    assert.deepEqual([soFar().assets.length, soFar().isWhole], [1_200, false]);
    const failed = (lines: number): AccessNode | undefined =>
      assetNodes(MODELS, list.soFar, NO_FILTER, lines, (error) => [
        {
          kind: 'words',
          id: 'x',
          words: { kind: 'failed', message: String(error), remedy: 'retry', host: PROD.host },
        },
      ]).at(-1);
    assert.equal(failed(700)?.kind, 'more');
    const line = failed(1_200);
    assert(line?.kind === 'words');
    const { spoken } = nodeWords(reader, line);
    assert.match(spoken, /Could not be read, Error: away, Click, or press Enter: Try Again/);
    await assert.rejects(list.whole(), /away/);
  });

  it('is drawn a piece at a time, with a line that says how many there are besides', () => {
    const assets = Array.from({ length: 10_000 }, (_, index) => asset(`m${String(index)}`));
    const draw = (seen: number) =>
      assetNodes(MODELS, { kind: 'listed', assets, isWhole: true }, NO_FILTER, linesAfter(seen), noFailure);
    const first = draw(0);
    assert.equal(first.length, 201);
    const more = first.at(-1);
    assert(more?.kind === 'more');
    assert.equal(nodeWords(reader, more).label, '9800 more lines');
    assert.equal(draw(1).length, 701);
    assert.equal(draw(20).length, 10_000);
    assert(draw(20).every(({ kind }) => kind === 'asset'));
  });

  it('that still comes says so, and one that ended without anything does too', () => {
    const still = assetNodes(
      MODELS,
      { kind: 'listed', assets: [], isWhole: false },
      NO_FILTER,
      200,
      noFailure,
    );
    assert.deepEqual(
      still.map((node) => nodeWords(reader, node).label),
      ['More are being read…'],
    );
    const none = assetNodes(MODELS, { kind: 'listed', assets: [], isWhole: true }, NO_FILTER, 200, noFailure);
    assert.deepEqual(
      none.map((node) => nodeWords(reader, node).label),
      ['Nothing here'],
    );
    const hidden = assetNodes(MODELS, { kind: 'notVisible' }, NO_FILTER, 200, noFailure);
    assert.deepEqual(
      hidden.map((node) => nodeWords(reader, node).label),
      ['Not visible to you'],
    );
  });
});

describe('a search of the tree', () => {
  const data = {
    me: aMe(),
    roles: [aRole(), aRole({ id: 'r2', title: 'Deploy', gives: 'Rolls out.', rights: [] })],
    requests: [aRequest()],
    grants: [aGrant()],
    toApprove: [],
    toReview: [],
    teamGrants: [],
  };

  it('finds by every word, of any case, in names, rights and purposes', () => {
    const found = (text: string): string[] =>
      (['grants', 'requests', 'roles'] as const).flatMap((section) =>
        rowNodes(section, PROD, data, new AccessFilter(text)).map(({ kind }) => kind),
      );
    assert.deepEqual(found(''), ['grant', 'request', 'role', 'role']);
    assert.deepEqual(found('RANKER recsys'), ['grant', 'request', 'role']);
    assert.deepEqual(found('can_query'), ['role']);
    assert.deepEqual(found('promote version'), ['request']);
    assert.deepEqual(found('ranker nowhere'), []);
  });

  it('leaves sections out in which nothing matches', () => {
    const sections = sectionNodes(PROD, data, new AccessFilter('rolls out'));
    assert.deepEqual(
      sections.map((node) => node.kind === 'section' && node.section),
      ['roles', 'entitlements'],
    );
  });

  it('says of a list in which nothing matches what was looked for', () => {
    const list = { kind: 'listed', assets: [asset('a')], isWhole: true } as const;
    const [line] = assetNodes(MODELS, list, new AccessFilter('zz'), 200, noFailure);
    assert(line !== undefined);
    assert.match(nodeWords(reader, line).tooltip.join(), /“zz”/);
  });
});

describe('rights on an asset', () => {
  const group = (name: string): Through => ({ kind: 'group', name });
  const words = (...levels: readonly (readonly [string, Through])[]) =>
    rightsWords(
      reader,
      { kind: 'endpoints' },
      { kind: 'listed', levels: levels.map(([level, through]) => ({ level, through })) },
      grantsByGroup({ roles: [aRole()], grants: [aGrant()] }),
    );

  it('say where each comes from, what ends by itself first, the strongest first', () => {
    const { description, tone } = words(
      ['CAN_VIEW', group('ml-recsys')],
      ['CAN_MANAGE', { kind: 'self' }],
      ['CAN_VIEW', group('oam-jit-recsys-endpoint-query')],
      ['CAN_QUERY', group('oam-jit-recsys-endpoint-query')],
    );
    assert.match(
      description,
      /^CAN_QUERY, CAN_VIEW until \d\d:\d\d: Query the recsys ranker; CAN_MANAGE, your own; CAN_VIEW through ml-recsys$/,
    );
    assert.equal(tone, 'forATime');
  });

  it('come from a group where its grant is over', () => {
    const over = grantsByGroup({ roles: [aRole()], grants: [aGrant({ state: 'revoking' })] });
    assert.equal(over.size, 0);
  });

  it('that are not told are called neither absent nor present', () => {
    const hidden = rightsWords(reader, { kind: 'jobs' }, { kind: 'notVisible' }, new Map());
    assert.equal(hidden.description, 'not visible to you');
    assert.match(hidden.lines.join(), /You may still have some/);
    assert.equal(words().description, 'no right');
    const unsaid = words(['CAN_VIEW', { kind: 'unsaid' }]);
    assert.deepEqual([unsaid.description, unsaid.tone], ['CAN_VIEW', undefined]);
  });

  it('are read of the lines that are seen, the last ones first, a few at a time', async () => {
    const read: string[] = [];
    const told: string[][] = [];
    const gates: (() => void)[] = [];
    let tell: () => void = () => undefined;
    const rights = new SeenRights({
      read: (node) =>
        new Promise((resolve) => {
          read.push(node.asset.name);
          gates.push(resolve);
        }),
      onRead: (nodes) => told.push(nodes.map(({ asset: { name } }) => name)),
      later: (work) => {
        tell = work;
        return { dispose: () => undefined };
      },
    });
    const line = (name: string): AssetNode => ({ kind: 'asset', asset: asset(name), workspace: PROD });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) rights.seen(line(name));
    assert.deepEqual(read, ['a', 'b', 'c', 'd']);
    for (const open of gates.splice(0)) open();
    await settle();
    assert.deepEqual(read.slice(4), ['f', 'e']);
    tell();
    assert.deepEqual(told, [['a', 'b', 'c', 'd']]);
    rights.dispose();
  });
});

describe('a line at a glance', () => {
  it('has a mark of its own beside its colour', () => {
    for (const [tone, { badge, colour }] of Object.entries(TONE_MARKS)) {
      assert(isTone(tone));
      assert(badge.length >= 1 && badge.length <= 2, tone);
      assert.match(colour, /^[a-zA-Z.]+$/);
    }
    // Grants, roles and rights are each told apart among themselves.
    for (const family of [
      ['active', 'endsSoon', 'moving', 'trouble', 'waiting'],
      ['atOnce', 'needsApproval', 'closed', 'waiting', 'active'],
      ['forATime', 'throughGroup', 'own', 'noRight', 'notVisible'],
    ] as const) {
      assert.equal(new Set(family.map((tone) => TONE_MARKS[tone].badge)).size, family.length);
    }
  });

  it('says of a role whom a request waits for, and why one is refused', () => {
    const role = (change: Parameters<typeof aRole>[0]) =>
      nodeWords(reader, { kind: 'role', role: aRole(change), taken: undefined });
    assert.deepEqual([role({}).description, role({}).tone], ['granted at once', 'atOnce']);
    assert(role({}).tooltip.includes('For up to 8 hours at a time'));
    const refused = role({ outlook: { kind: 'refused', because: ['Other team.'] } });
    assert.deepEqual([refused.description, refused.tone], ['not for you: Other team.', 'closed']);
  });
});

describe('the page of an asset on Databricks', () => {
  it('is on its own host, whatever its name', () => {
    const strange: Asset = { ...asset('a.b.../../c?d#e'), kind: 'endpoints' };
    assert.equal(assetAddress(PROD.host, strange), `${PROD.host}/ml/endpoints/a.b...%2F..%2Fc%3Fd%23e`);
    assert.equal(
      assetAddress(PROD.host, asset('prod.recsys.ranker')),
      `${PROD.host}/explore/data/models/prod/recsys/ranker`,
    );
  });

  it('is offered where there is one', () => {
    assert.equal(contextValue({ kind: 'asset', asset: asset('x'), workspace: PROD }), 'asset.copy.open.ask');
    const inGroup: Asset = { ...asset('g'), kind: 'groups' };
    assert.equal(contextValue({ kind: 'asset', asset: inGroup, workspace: PROD }), 'asset.copy');
  });
});
