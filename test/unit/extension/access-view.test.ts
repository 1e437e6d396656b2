import assert from 'node:assert/strict';

import { DatabricksError } from '../../../src/databricks/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { type AccessData, noticesBetween } from '../../../src/extension/access-view/access-data.ts';
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
import { english } from './localise.ts';
import { accessData, aGrant, ANA, aRequest, aRole, DEV, LENA, PROD, stageFor } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');
const reader = { l10n: english, locale: 'en-GB', nowMs: NOW };

describe('the tree of access', () => {
  it('shows every workspace, of roles and grants too that nobody pinned', () => {
    const other = { name: 'ml-lab', host: 'https://lab.cloud.databricks.com' };
    const nodes = workspaceNodes([PROD, DEV], accessData({ roles: [aRole({ workspace: other })] }));
    assert.deepEqual(
      nodes.map((node) => node.kind === 'workspace' && node.workspace.name),
      ['ml-prod', 'ml-dev', 'ml-lab'],
    );
  });

  it('leaves empty sections out, and keeps what is not open to a person apart', () => {
    const refused = aRole({ id: 'r2', outlook: { kind: 'refused', because: ['Other team.'] } });
    const sections = (workspace: typeof PROD, d: AccessData): string[] =>
      sectionNodes(workspace, d).map((node) => (node.kind === 'section' ? node.section : ''));
    assert.deepEqual(sections(DEV, accessData()), ['entitlements']);
    assert.deepEqual(
      sections(PROD, accessData({ roles: [aRole(), refused], grants: [aGrant()], requests: [aRequest()] })),
      ['grants', 'requests', 'roles', 'entitlements', 'closedRoles'],
    );
  });

  it('shows only requests that are open', () => {
    const rows = rowNodes(
      'requests',
      PROD,
      accessData({ requests: [aRequest(), aRequest({ id: 'q2', state: 'denied' })] }),
    );
    assert.deepEqual(rows.map(nodeId), ['request/q1']);
  });

  it('offers on each line what can be done with it, and nothing else', () => {
    const role = (taken: 'held' | 'asked' | undefined): AccessNode => ({
      kind: 'role',
      role: aRole(),
      taken,
    });
    assert.equal(contextValue(role(undefined)), 'role.copy.request');
    assert.equal(contextValue(role('held')), 'role.copy');
    assert.equal(contextValue(role('asked')), 'role.copy');
    assert.equal(contextValue({ kind: 'request', request: aRequest() }), 'request.copy.cancel');
    assert.equal(contextValue({ kind: 'grant', grant: aGrant() }), 'grant.copy.extend.return');
    const federated = { ...aGrant().role, credential: 'federated' as const };
    assert.equal(
      contextValue({ kind: 'grant', grant: aGrant({ role: federated }) }),
      'grant.copy.extend.return.terminal',
    );
    assert.equal(
      contextValue({ kind: 'grant', grant: aGrant({ role: federated, state: 'revoking' }) }),
      'grant.copy',
    );
    assert.equal(
      approvalContextValue({ kind: 'toApprove', request: aRequest() }),
      'toApprove.show.approve.deny',
    );
  });

  it('says of a grant how much of it is left, and of a stuck one the truth', () => {
    const words = nodeWords(reader, { kind: 'grant', grant: aGrant() });
    assert.match(words.description ?? '', /^30 min left, everywhere until /);
    assert.match(words.spoken, /Query the recsys ranker, 30 min left.*Active for you everywhere until /);
    const left = (what: 'right' | 'tokenOnly') =>
      nodeWords(reader, {
        kind: 'grant',
        grant: aGrant({ state: 'ended', outlives: { until: '2026-11-23T11:09:00.000Z', what } }),
      }).tooltip.join('\n');
    assert.match(left('right'), /still carries this right, until/);
    assert.match(left('tokenOnly'), /carries this right no more/);
    const stuck = nodeWords(reader, {
      kind: 'grant',
      grant: aGrant({ state: 'revoke_stuck', trouble: 'Databricks answers 503.' }),
    });
    assert.match(stuck.description ?? '', /removal does not work yet/);
    assert(stuck.tooltip.includes('Databricks answers 503.'));
  });

  it('has words for a screen reader and a tooltip on every line', () => {
    const nodes: AccessNode[] = [
      ...workspaceNodes([PROD], accessData()),
      ...sectionNodes(PROD, accessData({ grants: [aGrant()], requests: [aRequest()] })),
      { kind: 'role', role: aRole(), taken: undefined },
      { kind: 'request', request: aRequest() },
      { kind: 'grant', grant: aGrant() },
      ...rowNodes('entitlements', PROD, accessData()),
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
      {
        kind: 'words',
        id: 'failed',
        words: { kind: 'failed', message: 'why', remedy: 'retry', host: PROD.host },
      },
    ];
    for (const node of nodes) {
      const words = nodeWords(reader, node);
      assert.notEqual(words.spoken, '', nodeId(node));
      assert(words.tooltip.length > 0 && words.tooltip.every((line) => line !== ''), nodeId(node));
    }
    for (const node of [
      { kind: 'toApprove', request: aRequest() },
      { kind: 'section', section: 'reviews', count: 1 },
      { kind: 'section', section: 'handled', count: 1 },
      { kind: 'review', grant: aGrant() },
      { kind: 'handled', request: aRequest({ state: 'denied' }) },
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
      'Ticket: ML-7, which nobody verified',
      'For 1 hour, from the moment it works',
      'It gives: MANAGE on prod.recsys.ranker.',
      'Repository: git@x:y',
      'Branch: main',
    ]) {
      assert(tooltip.includes(line), line);
    }
  });

  it('says for whom a delegate decides, and who spoke for whom', () => {
    const approval = {
      ...{ stage: 0, approver: ANA, onBehalfOf: LENA, verdict: 'approved' as const },
      ...{ comment: null, at: '2026-11-23T10:10:00.000Z' },
    };
    const request = aRequest({ actingFor: LENA, approvals: [approval] });
    const { description, tooltip } = approvalWords(reader, { kind: 'toApprove', request });
    assert.match(description ?? '', / · for Lena$/);
    assert.ok(tooltip.includes('You decide for Lena, who named you as their delegate.'));
    assert.ok(tooltip.includes('Approved by Ana for Lena'));
  });

  it('names the stage that a request waits for', () => {
    const stages = [stageFor('leads'), stageFor('security')];
    const approval = {
      stage: 0,
      approver: LENA,
      onBehalfOf: null,
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
    assert.deepEqual(noticesBetween(undefined, accessData({ grants: [aGrant()] })), []);
  });

  it('tells of each change once', () => {
    const pending = accessData({ requests: [aRequest()], grants: [aGrant({ state: 'provisioning' })] });
    const next = accessData({
      requests: [aRequest({ state: 'denied' })],
      grants: [aGrant()],
    });
    assert.deepEqual(
      noticesBetween(pending, next).map(({ kind }) => kind),
      ['grantActive', 'requestDenied'],
    );
    assert.deepEqual(noticesBetween(next, next), []);
    const waits = { state: 'pending', reviewer: null, comment: null, at: null } as const;
    const emergency = aGrant({ id: 'g9', review: waits });
    assert.deepEqual(noticesBetween(next, { ...next, toReview: [emergency] }), [
      { kind: 'brokeGlass', grant: emergency },
    ]);
    assert.deepEqual(noticesBetween(next, accessData()), [{ kind: 'grantGone', grantId: 'g1' }]);
    const extended = accessData({ grants: [aGrant({ id: 'g2', chainId: 'g1', extends: 'g1' })] });
    assert.deepEqual(
      noticesBetween(next, extended).map(({ kind }) => kind),
      ['grantActive'],
    );
    const failed = accessData({ grants: [aGrant({ state: 'failed' })] });
    assert.deepEqual(
      noticesBetween(pending, failed).map(({ kind }) => kind),
      ['grantFailed'],
    );
    assert.deepEqual(noticesBetween(failed, accessData()), []);
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
    features: () =>
      Promise.resolve([{ fullName: 'a.b.clicks', description: undefined, table: 'a.b.activity' }]),
    clusters: () => Promise.resolve([]),
    jobs: () => Promise.resolve([]),
    objectPermissions: () =>
      Promise.resolve([
        { principal: { kind: 'group', name: 'ml-recsys' }, level: 'CAN_RESTART', inherited: false },
        { principal: { kind: 'group', name: 'admins' }, level: 'CAN_MANAGE', inherited: true },
      ]),
    effectivePermissions: (type) =>
      type === 'function' || type === 'table'
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
      levels: [{ level: 'EXECUTE', through: { kind: 'group', name: 'ml-recsys' } }],
    });
    assert.deepEqual(await rightsOn(source, asset('clusters')), {
      kind: 'listed',
      levels: [{ level: 'CAN_RESTART', through: { kind: 'group', name: 'ml-recsys' } }],
    });
  });
});
