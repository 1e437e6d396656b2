import type { AccessData } from '../../../src/extension/access-view/access-data.ts';
import type { PinnedTrust } from '../../../src/extension/connection/pinned-trust.ts';
import type { Session } from '../../../src/identity/index.ts';
import type { CallerOptions } from '../../../src/protocol/client.ts';
import type { StageView } from '../../../src/protocol/approvers.ts';
import type { GrantView, PersonView, RequestView, RoleView } from '../../../src/protocol/schemas.ts';
import type { Me } from '../../../src/protocol/person.ts';

/** Somebody whose clients of other kinds nobody uses. */
export const NOBODY: CallerOptions = {
  baseUrl: 'https://oam.example.com',
  accessToken: () => Promise.resolve(undefined),
};

/** What the control plane tells of people, roles, requests and grants, with the usual values. */

export const PROD = { name: 'ml-prod', host: 'https://prod.cloud.databricks.com' };
export const DEV = { name: 'ml-dev', host: 'https://dev.cloud.databricks.com' };

export const ANA: PersonView = {
  iss: 'https://idp.example.com',
  sub: 'ana',
  userName: 'ana@example.com',
  displayName: 'Ana',
};

export const LENA: PersonView = { ...ANA, sub: 'lena', userName: 'lena@example.com', displayName: 'Lena' };

/** A stage for members of groups. */
export function stageFor(...approverGroups: string[]): StageView {
  return { approverGroups, approverDuty: null, approverAttributes: {}, ofTeam: null, quorum: 1 };
}

export function aRole(change: Partial<RoleView> = {}): RoleView {
  return {
    id: 'recsys-endpoint-query',
    title: 'Query the recsys ranker',
    gives: 'CAN_QUERY on recsys-ranker-prod.',
    workspace: PROD,
    team: 'recsys',
    sensitivity: 'low',
    credential: 'member',
    maxMinutes: 480,
    defaultMinutes: 60,
    breakGlass: false,
    rights: [{ kind: 'endpoints', name: 'recsys-ranker-prod', level: 'CAN_QUERY' }],
    group: 'oam-jit-recsys-endpoint-query',
    outlook: { kind: 'granted_at_once', because: ['Low sensitivity, own team.'] },
    ...change,
  };
}

export function aRequest(change: Partial<RequestView> = {}): RequestView {
  return {
    id: 'q1',
    version: 1,
    state: 'pending',
    requester: ANA,
    role: {
      id: 'recsys-model-promote',
      title: 'Promote the ranker',
      gives: 'MANAGE on prod.recsys.ranker.',
      workspace: 'ml-prod',
      sensitivity: 'medium',
      credential: 'member',
    },
    purpose: 'promote version 7',
    ticket: null,
    codeContext: null,
    minutes: 60,
    approvedMinutes: null,
    stages: [stageFor('ml-recsys-leads')],
    actingFor: null,
    approvals: [],
    hash: 'h',
    policyVersion: 'p',
    because: [],
    createdAt: '2026-11-23T10:00:00.000Z',
    lapsesAt: '2026-11-24T10:00:00.000Z',
    evidence: [],
    grantId: null,
    extends: null,
    startsAt: null,
    breakGlass: false,
    ...change,
  };
}

export function aGrant(change: Partial<GrantView> = {}): GrantView {
  return {
    id: 'g1',
    version: 1,
    requestId: 'q1',
    state: 'active',
    endReason: null,
    principal: ANA,
    role: {
      id: 'recsys-endpoint-query',
      title: 'Query the recsys ranker',
      workspace: PROD,
      credential: 'member',
    },
    purpose: 'compare',
    minutes: 60,
    createdAt: '2026-11-23T10:00:00.000Z',
    activatedAt: '2026-11-23T10:00:05.000Z',
    endsAt: '2026-11-23T11:00:05.000Z',
    membershipPresentAt: '2026-11-23T10:00:05.000Z',
    membershipAbsentAt: null,
    outlives: null,
    trouble: null,
    chainId: change.id ?? 'g1',
    extends: null,
    successor: null,
    heldSince: null,
    removingSince: null,
    revocation: null,
    review: null,
    startsAt: null,
    ...change,
  };
}

export function aMe(change: Partial<Me> = {}): Me {
  return {
    ...ANA,
    groups: ['ml-recsys'],
    duty: 'data-scientist',
    teams: [{ name: 'recsys', lead: false }],
    seenAt: '2026-11-23T10:00:00.000Z',
    readsAudit: false,
    ...change,
  };
}

export const TRUST: PinnedTrust = {
  identity: {
    issuer: 'https://idp.example.com',
    clientId: 'oam-editor',
    audience: 'urn:oam:control-plane',
    scopes: ['openid', 'offline_access'],
  },
  workspaces: [PROD, DEV],
};

export const ANA_SESSION: Session = {
  issuer: TRUST.identity.issuer,
  subject: 'ana',
  userName: 'ana@example.com',
  displayName: 'Ana',
  accessToken: 'access-token-of-ana',
  accessTokenExpiresAtMs: 1_000_000,
  idToken: 'id-token-of-ana',
  idTokenExpiresAtMs: 1_000_000,
  refreshToken: 'refresh-token-of-ana',
};

/** What the side bar knows of somebody to whom one role is open, and who has asked for nothing. */
export function accessData(change: Partial<AccessData> = {}): AccessData {
  return {
    me: aMe(),
    roles: [aRole()],
    requests: [],
    grants: [],
    toApprove: [],
    toReview: [],
    ...change,
  };
}
