import assert from 'node:assert/strict';

import { DatabricksError } from '../../../src/databricks/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import {
  type AccessData,
  loadAccess,
  noticesBetween,
} from '../../../src/extension/access-view/access-data.ts';
import { AccessFeed } from '../../../src/extension/access-view/access-feed.ts';
import {
  type AccessNode,
  nodeId,
  rowNodes,
  sectionNodes,
  workspaceNodes,
} from '../../../src/extension/access-view/access-nodes.ts';
import {
  type EntitlementSource,
  listAssets,
  rightsOn,
} from '../../../src/extension/access-view/entitlements.ts';
import { contextValue } from '../../../src/extension/access-view/node-capabilities.ts';
import { nodeWords, waitsFor } from '../../../src/extension/access-view/node-words.ts';
import { approvalContextValue, approvalWords } from '../../../src/extension/approvals/approval-words.ts';
import type { CallInput, CallOutput, ControlPlaneClient } from '../../../src/protocol/client.ts';
import type { OperationId } from '../../../src/protocol/endpoints.ts';
import { english } from './localise.ts';
import { aGrant, aMe, ANA, aRequest, aRole, DEV, LENA, PROD } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');
const reader = { l10n: english, locale: 'en-GB', nowMs: NOW };

function data(change: Partial<AccessData> = {}): AccessData {
  return { me: aMe(), roles: [aRole()], requests: [], grants: [], toApprove: [], teamGrants: [], ...change };
}

/** A control plane that answers from a table and keeps what it was asked. */
function fakeControlPlane(answers: { [Id in OperationId]?: (input: CallInput<Id>) => CallOutput<Id> }): {
  client: ControlPlaneClient;
  asked: OperationId[];
} {
  const asked: OperationId[] = [];
  const client: ControlPlaneClient = {
    call(operation, input) {
      asked.push(operation);
      const answer = answers[operation];
      if (answer === undefined) return Promise.reject(new Error(`not expected: ${operation}`));
      try {
        return Promise.resolve(answer(input ?? {}));
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
  };
  return { client, asked };
}

describe('the tree of access', () => {
  it('shows every workspace, of roles and grants too that nobody pinned', () => {
    const other = { name: 'ml-lab', host: 'https://lab.cloud.databricks.com' };
    const nodes = workspaceNodes([PROD, DEV], data({ roles: [aRole({ workspace: other })] }));
    assert.deepEqual(
      nodes.map((node) => node.kind === 'workspace' && node.workspace.name),
      ['ml-prod', 'ml-dev', 'ml-lab'],
    );
  });

  it('leaves empty sections out, and keeps what is not open to a person apart', () => {
    const refused = aRole({ id: 'r2', outlook: { kind: 'refused', because: ['Other team.'] } });
    const sections = (workspace: typeof PROD, d: AccessData): string[] =>
      sectionNodes(workspace, d).map((node) => (node.kind === 'section' ? node.section : ''));
    assert.deepEqual(sections(DEV, data()), ['entitlements']);
    assert.deepEqual(
      sections(PROD, data({ roles: [aRole(), refused], grants: [aGrant()], requests: [aRequest()] })),
      ['grants', 'requests', 'roles', 'entitlements', 'closedRoles'],
    );
  });

  it('shows only requests that are open', () => {
    const rows = rowNodes(
      'requests',
      PROD,
      data({ requests: [aRequest(), aRequest({ id: 'q2', state: 'denied' })] }),
    );
    assert.deepEqual(rows.map(nodeId), ['request/q1']);
  });

  it('offers on each line what can be done with it, and nothing else', () => {
    const role = (taken: 'held' | 'asked' | undefined): AccessNode => ({
      kind: 'role',
      role: aRole(),
      taken,
    });
    assert.equal(contextValue(role(undefined)), 'role.request');
    assert.equal(contextValue(role('held')), 'role');
    assert.equal(contextValue(role('asked')), 'role');
    assert.equal(contextValue({ kind: 'request', request: aRequest() }), 'request.cancel');
    assert.equal(contextValue({ kind: 'grant', grant: aGrant() }), 'grant.return');
    const federated = { ...aGrant().role, credential: 'federated' as const };
    assert.equal(
      contextValue({ kind: 'grant', grant: aGrant({ role: federated }) }),
      'grant.return.terminal',
    );
    assert.equal(
      contextValue({ kind: 'grant', grant: aGrant({ role: federated, state: 'revoking' }) }),
      'grant',
    );
    assert.equal(approvalContextValue({ kind: 'toApprove', request: aRequest() }), 'toApprove.approve.deny');
    assert.equal(approvalContextValue({ kind: 'teamGrant', grant: aGrant() }), 'teamGrant.revoke');
    assert.equal(
      approvalContextValue({ kind: 'teamGrant', grant: aGrant({ state: 'revoking' }) }),
      'teamGrant',
    );
  });

  it('says of a grant how much of it is left, and of a stuck one the truth', () => {
    const words = nodeWords(reader, { kind: 'grant', grant: aGrant() });
    assert.match(words.description ?? '', /^30 min left, until /);
    assert.match(words.spoken, /Query the recsys ranker, 30 min left/);
    const stuck = nodeWords(reader, {
      kind: 'grant',
      grant: aGrant({ state: 'revoke_stuck', trouble: 'Databricks answers 503.' }),
    });
    assert.match(stuck.description ?? '', /removal does not work yet/);
    assert(stuck.tooltip.includes('Databricks answers 503.'));
  });

  it('has words for a screen reader and a tooltip on every line', () => {
    const nodes: AccessNode[] = [
      ...workspaceNodes([PROD], data()),
      ...sectionNodes(PROD, data({ grants: [aGrant()], requests: [aRequest()] })),
      { kind: 'role', role: aRole(), taken: undefined },
      { kind: 'request', request: aRequest() },
      { kind: 'grant', grant: aGrant() },
      ...rowNodes('entitlements', PROD, data()),
      {
        kind: 'asset',
        asset: { kind: 'models', id: 'a.b.c', name: 'a.b.c', note: undefined },
        workspace: PROD,
      },
      ...(['none', 'notVisible'] as const).map((kind): AccessNode => ({
        kind: 'words',
        id: kind,
        words: { kind },
      })),
      { kind: 'words', id: 'failed', words: { kind: 'failed', message: 'why' } },
    ];
    for (const node of nodes) {
      const words = nodeWords(reader, node);
      assert.notEqual(words.spoken, '', nodeId(node));
      assert(words.tooltip.length > 0 && words.tooltip.every((line) => line !== ''), nodeId(node));
    }
    for (const node of [
      { kind: 'toApprove', request: aRequest() },
      { kind: 'team', count: 1 },
      { kind: 'teamGrant', grant: aGrant() },
    ] as const) {
      const words = approvalWords(reader, node);
      assert(words.spoken !== '' && words.tooltip.length > 0);
    }
    assert.equal(new Set(nodes.map(nodeId)).size, nodes.length);
  });

  it('tells an approver purpose, time, what it gives and where in the code it came from', () => {
    const request = aRequest({ ticket: 'ML-7', codeContext: { repository: 'git@x:y', branch: 'main' } });
    const { tooltip } = approvalWords(reader, { kind: 'toApprove', request });
    for (const line of [
      'Purpose: promote version 7',
      'Ticket: ML-7',
      'For 1 hour, from the moment it works',
      'It gives: MANAGE on prod.recsys.ranker.',
      'Code: git@x:y main',
    ]) {
      assert(tooltip.includes(line), line);
    }
  });

  it('names the stage that a request waits for', () => {
    const stages = [
      { approverGroups: ['leads'], quorum: 1 },
      { approverGroups: ['security'], quorum: 1 },
    ];
    const approval = {
      stage: 0,
      approver: LENA,
      verdict: 'approved' as const,
      comment: null,
      at: '2026-11-23T10:10:00.000Z',
    };
    assert.equal(waitsFor(english, { stages, approvals: [] }), 'leads');
    assert.equal(waitsFor(english, { stages, approvals: [approval] }), 'security');
  });
});

describe('what a person is told of without looking', () => {
  it('says nothing about the first reading', () => {
    assert.deepEqual(noticesBetween(undefined, data({ grants: [aGrant()] })), []);
  });

  it('tells of each change once', () => {
    const pending = data({ requests: [aRequest()], grants: [aGrant({ state: 'provisioning' })] });
    const next = data({
      requests: [aRequest({ state: 'denied' })],
      grants: [aGrant()],
    });
    assert.deepEqual(
      noticesBetween(pending, next).map(({ kind }) => kind),
      ['grantActive', 'requestDenied'],
    );
    assert.deepEqual(noticesBetween(next, next), []);
    assert.deepEqual(noticesBetween(next, data()), [{ kind: 'grantGone', grantId: 'g1' }]);
    const failed = data({ grants: [aGrant({ state: 'failed' })] });
    assert.deepEqual(
      noticesBetween(pending, failed).map(({ kind }) => kind),
      ['grantFailed'],
    );
    assert.deepEqual(noticesBetween(failed, data()), []);
  });
});

describe('reading the access', () => {
  const lists = {
    listRoles: () => ({ items: [aRole()] }),
    listRequests: () => ({ items: [], nextCursor: null }),
    listGrants: () => ({ items: [aGrant()], nextCursor: null }),
  };

  it("asks for a team's access only as its lead, and leaves the lead's own out of it", async () => {
    const asMember = fakeControlPlane({ ...lists, getMe: () => aMe() });
    assert.deepEqual((await loadAccess(asMember.client)).teamGrants, []);
    const lead = aMe({ ...LENA, teams: [{ name: 'recsys', lead: true }] });
    const own = aGrant({ id: 'g2', principal: LENA });
    const asLead = fakeControlPlane({
      ...lists,
      getMe: () => lead,
      listGrants: () => ({ items: [aGrant({ principal: ANA }), own], nextCursor: null }),
    });
    assert.deepEqual(
      (await loadAccess(asLead.client)).teamGrants.map(({ id }) => id),
      ['g1'],
    );
  });

  interface Planned {
    work: () => void;
    delayMs: number;
    isStopped: boolean;
  }

  function feedOver(client: ControlPlaneClient, isWatched: () => boolean) {
    const planned: Planned[] = [];
    const feed = new AccessFeed({
      client,
      clock: { nowMs: () => NOW },
      logger: silentLogger,
      isWatched,
      later: (work, delayMs) => {
        const entry: Planned = { work, delayMs, isStopped: false };
        planned.push(entry);
        return { dispose: () => void (entry.isStopped = true) };
      },
    });
    const next = (): Planned | undefined => planned.filter(({ isStopped }) => !isStopped).at(-1);
    return { feed, next };
  }

  /** Lets what was begun go on until it waits for a timer. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('asks for events only while somebody looks or a grant lives', async () => {
    let grants = [aGrant()];
    let watched = false;
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listGrants: () => ({ items: grants, nextCursor: null }),
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => watched);
    await feed.reload();
    assert.equal(next()?.delayMs, 15_000);
    watched = true;
    feed.attentionChanged();
    assert.equal(next()?.delayMs, 5_000);
    grants = [aGrant({ state: 'provisioning', endsAt: null })];
    await feed.reload();
    assert.equal(next()?.delayMs, 2_000);
    grants = [aGrant({ endsAt: new Date(NOW + 2_500).toISOString() })];
    await feed.reload();
    assert.equal(next()?.delayMs, 3_500);
    watched = false;
    grants = [];
    await feed.reload();
    assert(next()?.isStopped ?? true);
  });

  it('reads again when something happened, from where it stood', async () => {
    const cursors: (string | undefined)[] = [];
    let happened = false;
    const { client, asked } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listEvents: (input) => {
        cursors.push(input.query?.after);
        const event = {
          cursor: 'c2',
          kind: 'grant.active' as const,
          at: '2026-11-23T10:00:00.000Z',
          requestId: null,
          grantId: 'g1',
        };
        return happened ? { items: [event], nextCursor: 'c2' } : { items: [], nextCursor: 'c1' };
      },
    });
    const { feed, next } = feedOver(client, () => true);
    await feed.reload();
    const before = asked.filter((operation) => operation === 'listRoles').length;
    next()?.work();
    await settle();
    assert.equal(asked.filter((operation) => operation === 'listRoles').length, before);
    happened = true;
    next()?.work();
    await settle();
    assert.equal(asked.filter((operation) => operation === 'listRoles').length, before + 1);
    assert.deepEqual(cursors, [undefined, 'c1', 'c1']);
  });

  it('keeps what it knows when the control plane is away, says so, and catches up', async () => {
    let isAway = false;
    const away = (): never => {
      throw new OamError('unreachable', 'The server could not be reached.');
    };
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => (isAway ? away() : aMe()),
      listEvents: () => (isAway ? away() : { items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => true);
    await feed.reload();
    isAway = true;
    next()?.work();
    await settle();
    assert(feed.state.kind === 'known' && feed.state.stale !== undefined);
    assert.equal(feed.data?.grants.length, 1);
    isAway = false;
    next()?.work();
    await settle();
    assert(feed.state.kind === 'known' && feed.state.stale === undefined);
  });

  it('says nothing any more once it is disposed', async () => {
    const { client } = fakeControlPlane({
      ...lists,
      getMe: () => aMe(),
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
    });
    const { feed, next } = feedOver(client, () => true);
    const loading = feed.reload();
    feed.dispose();
    await loading;
    assert.equal(feed.state.kind, 'unknown');
    assert.equal(next(), undefined);
  });
});

describe('entitlements', () => {
  const refused = (): Promise<never> =>
    Promise.reject(new DatabricksError({ status: 403, errorCode: 'PERMISSION_DENIED', message: 'no' }));
  const me = {
    id: '1',
    userName: ANA.userName,
    displayName: 'Ana',
    active: true,
    externalId: 'ana',
    groups: [{ id: '55', name: 'ml-recsys' }],
    entitlements: [],
  };
  const source: EntitlementSource = {
    me: () => Promise.resolve(me),
    models: () => Promise.resolve([]),
    servingEndpoints: () =>
      Promise.resolve(
        ['b', 'a'].map((name) => ({
          id: name,
          name,
          ready: true,
          creator: undefined,
          task: undefined,
          permissionLevel: undefined,
        })),
      ),
    servingEndpointLevel: () => Promise.resolve('CAN_VIEW'),
    experiments: refused,
    clusters: () => Promise.resolve([]),
    jobs: () => Promise.resolve([]),
    objectPermissions: () =>
      Promise.resolve([
        { principal: { kind: 'group', name: 'ml-recsys' }, level: 'CAN_RESTART', inherited: false },
        { principal: { kind: 'group', name: 'admins' }, level: 'CAN_MANAGE', inherited: true },
      ]),
    effectivePermissions: (type) =>
      type === 'function'
        ? Promise.resolve([
            { principal: 'ml-recsys', privilege: 'EXECUTE', inheritedFrom: undefined },
            { principal: 'others', privilege: 'MANAGE', inheritedFrom: undefined },
          ])
        : refused(),
  };

  it('are listed by name', async () => {
    const list = await listAssets(source, 'endpoints');
    assert.deepEqual(list.kind === 'listed' && list.assets.map(({ name }) => name), ['a', 'b']);
  });

  it('that may not be listed are not called absent', async () => {
    assert.deepEqual(await listAssets(source, 'experiments'), { kind: 'notVisible' });
  });

  it('of a trouble that is no refusal are an error', async () => {
    const broken = { ...source, jobs: () => Promise.reject(new OamError('unreachable', 'Away.')) };
    await assert.rejects(listAssets(broken, 'jobs'), { code: 'unreachable' });
  });

  it("count only the person's own and their groups'", async () => {
    const asset = (kind: 'models' | 'clusters') => ({ kind, id: 'x', name: 'x', note: undefined });
    assert.deepEqual(await rightsOn(source, asset('models')), {
      kind: 'listed',
      levels: [{ level: 'EXECUTE', through: 'ml-recsys' }],
    });
    assert.deepEqual(await rightsOn(source, asset('clusters')), {
      kind: 'listed',
      levels: [{ level: 'CAN_RESTART', through: 'ml-recsys' }],
    });
  });
});
