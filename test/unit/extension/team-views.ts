import { DAY_MS, HOUR_MS } from '../../../src/domain/time.ts';
import type { LeaseView } from '../../../src/protocol/leases.ts';
import type { TeamMemberView, TeamTokenView } from '../../../src/protocol/team.ts';
import type { TeamData } from '../../../src/extension/team/team-data.ts';
import { english } from './localise.ts';
import { aGrant, ANA, PROD } from './views.ts';

export const NOW = Date.parse('2026-11-23T10:30:05.000Z');
export const reader = { l10n: english, locale: 'en-GB', nowMs: NOW };

export const at = (ms: number): string => new Date(NOW + ms).toISOString();

export function aLease(change: Partial<LeaseView> = {}): LeaseView {
  return {
    ...{ id: 'l1', grantId: 'g1', state: 'issued', issuedAt: at(-60_000), expiresAt: at(60_000) },
    ...{ renewals: 0, renewedAt: null, revokedAt: null, outlives: null },
    ...change,
  };
}

export function aToken(change: Partial<TeamTokenView> = {}): TeamTokenView {
  return {
    ...{ workspace: PROD, tokenId: 't1', owner: ANA, comment: 'laptop' },
    ...{ createdAt: at(-400 * DAY_MS), lastUsedAt: null, expiresAt: null },
    ...change,
  };
}

export function aMember(change: Partial<TeamMemberView> = {}): TeamMemberView {
  return {
    ...{ person: ANA, duty: 'data-scientist', teams: ['recsys'], seenAt: at(0) },
    ...{ lastApprovedAt: null, waitingSince: null, openGrants: 0 },
    ...change,
  };
}

export function aTeam(change: Partial<TeamData> = {}): TeamData {
  return {
    grants: [aGrant({ endsAt: at(2 * HOUR_MS) })],
    leases: [{ lease: aLease(), grant: aGrant({ endsAt: at(2 * HOUR_MS) }) }],
    members: [aMember()],
    tokens: [aToken()],
    unread: [],
    ...change,
  };
}
