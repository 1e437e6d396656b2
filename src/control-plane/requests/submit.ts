import { randomUUID } from 'node:crypto';

import { OamError } from '../../domain/errors.ts';
import { areFactsFresh } from '../../domain/freshness.ts';
import type { Principal } from '../../domain/principal.ts';
import { settle } from '../../domain/request.ts';
import { roleHash } from '../../domain/request-hash.ts';
import type { Role } from '../../domain/role.ts';
import { type EpochMs, minutesToMs } from '../../domain/time.ts';
import type { Actor } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { commitGrant } from '../grants/commit.ts';
import { hashOf, judge, type Wish } from './judgement.ts';
import { refusedByPolicy } from './refused.ts';
import { insertRequest, openRequestId, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';
import { unverifiedBecause } from './verification.ts';
import type { Verification } from '../callbacks/verification.ts';

/** A wish that was looked at and can be put before policy. */
export interface Submission {
  readonly requester: Principal;
  /** Who asks: the requester, or a lead who asks for them. */
  readonly actor: Actor;
  readonly role: Role;
  readonly wish: Omit<Wish, 'evidence'>;
  readonly verification: Verification;
  /** The request lapses by this moment at the latest. */
  readonly lapsesByMs?: EpochMs;
}

/**
 * Puts a wish before policy and keeps what comes of it: a grant at once, or a request that waits for approvers.
 *
 * @throws {OamError} `refused_by_policy`, `groups_overflowed`, `audit_unavailable`.
 */
export async function submitRequest(
  core: Core,
  change: Change,
  { requester, actor, role, wish: unverified, verification, lapsesByMs }: Submission,
): Promise<StoredRequest> {
  const wish: Wish = { ...unverified, evidence: verification.evidence };
  const decision = judge(core.policy, requester, role, wish, change.nowMs);
  if (decision.kind === 'refused') {
    throw refusedByPolicy([...decision.because, ...unverifiedBecause(wish, change.nowMs)]);
  }
  const lapsesAtMs = change.nowMs + minutesToMs(core.lapseMinutes);
  const asked: StoredRequest = {
    id: verification.requestId,
    version: 1,
    state: 'pending',
    requester: { iss: requester.iss, sub: requester.sub },
    roleId: role.id,
    role,
    roleHash: roleHash(role),
    team: role.team,
    ...wish,
    approvedMinutes: undefined,
    stages: decision.kind === 'needs_approval' ? decision.stages : [],
    approvals: [],
    hash: hashOf(core.policy, requester, role, wish),
    policyVersion: core.policy.hash,
    because: decision.because,
    createdAtMs: change.nowMs,
    lapsesAtMs: lapsesByMs === undefined ? lapsesAtMs : Math.min(lapsesAtMs, lapsesByMs),
    grantId: undefined,
  };
  const request = settle(asked, {
    requesterFresh: areFactsFresh(requester, change.nowMs),
    grantId: randomUUID(),
    atMs: change.nowMs,
  });
  await insertRequest(change, request);
  await tellOfRequest(change, 'request.created', request, actor, {
    minutes: request.minutes,
    purpose: request.purpose,
    ticket: request.ticket,
    extends: request.extension?.grantId,
    startsAtMs: request.startsAtMs,
    breakGlass: request.breakGlass,
    ...(request.evidence.length > 0 && { evidence: request.evidence.map((word) => ({ ...word })) }),
    policyVersion: request.policyVersion,
    decision: decision.kind,
    because: [...decision.because],
  });
  if (request.state === 'approved') {
    await commitGrant(change, core.policy.catalogue, request, undefined);
    await tellOfRequest(change, 'request.approved', request, undefined, { by: 'policy' });
  }
  if (request.state === 'awaiting_requester') {
    await tellOfRequest(change, 'request.awaiting_requester', request, undefined);
  }
  return request;
}

/** @throws {OamError} `sign_in_again` where the token's facts are too old to act on. */
export function expectFresh(caller: Principal, nowMs: number): void {
  if (!areFactsFresh(caller, nowMs)) throw signInAgain();
}

/** The refusal where somebody's facts are too old to act on. */
function signInAgain(): OamError {
  return new OamError(
    'sign_in_again',
    'What your identity provider said about you is more than an hour old. Sign in again, then repeat this.',
  );
}

/** @throws {OamError} `role_unavailable` where OAM may not write to the role's group. */
export async function expectAvailable(change: Change, role: Role): Promise<void> {
  const group = await change.trx
    .selectFrom('jit_group')
    .select(['adoption', 'reason'])
    .where('group_id', '=', role.group.id)
    .executeTakeFirst();
  if (group?.adoption !== 'refused') return;
  throw new OamError(
    'role_unavailable',
    'This role cannot be granted at present. Tell your administrator why.',
    {
      detail: group.reason ?? 'unknown',
    },
  );
}

/** @throws {OamError} `already_requested` where a request of the person for the role and that start is not decided. */
export async function expectNoOpenRequest(
  change: Change,
  requester: Pick<Principal, 'iss' | 'sub'>,
  role: Role,
  startsAtMs: EpochMs | undefined,
): Promise<void> {
  const id = await openRequestId(change, requester, role.id, startsAtMs);
  if (id !== undefined) throw alreadyRequested(id);
}

function alreadyRequested(id?: string): OamError {
  return new OamError(
    'already_requested',
    'You have asked for this role already and it waits for a decision. Follow that request, or cancel it first.',
    id === undefined ? {} : { detail: `request ${id}` },
  );
}

/** The refusal where the role is held already. */
export function alreadyHeld(id?: string): OamError {
  return new OamError(
    'already_held',
    'You have this role already. Use it, extend it, or return it before you ask again.',
    id === undefined ? {} : { detail: `grant ${id}` },
  );
}

/** Two clicks at the same instant pass every check; the second then fails at an index. */
export function asSecondClick(error: unknown): unknown {
  if (!(error instanceof Error) || !('constraint' in error)) return error;
  const { constraint } = error;
  if (constraint === 'access_request_one_open' || constraint === 'access_request_one_start') {
    return alreadyRequested();
  }
  if (constraint === 'access_grant_one_live' || constraint === 'access_grant_one_start') return alreadyHeld();
  return error;
}
