import { randomUUID } from 'node:crypto';

import type * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { areFactsFresh } from '../../domain/freshness.ts';
import type { Principal } from '../../domain/principal.ts';
import { settle } from '../../domain/request.ts';
import { roleHash } from '../../domain/request-hash.ts';
import type { Role } from '../../domain/role.ts';
import { minutesToMs } from '../../domain/time.ts';
import { type RequestCreate, RequestView } from '../../protocol/schemas.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { openGrant } from '../grants/open.ts';
import { LIVE_STATES } from '../grants/rows.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { seesRole, teamsOf } from '../roles/teams.ts';
import { judgePurpose, judgeWindow } from './intake.ts';
import { hashOf, judge } from './judgement.ts';
import { insertRequest, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';
import { viewRequest } from './view.ts';

/**
 * Asks for a role. Policy grants it at once, sends it to approvers, or refuses.
 *
 * @throws {OamError} `unknown_role`, `purpose_missing`, `purpose_too_long`, `window_too_short`, `window_too_long`,
 * `bad_request`, `sign_in_again`, `groups_overflowed`, `role_unavailable`, `already_requested`, `already_held`,
 * `refused_by_policy`, `idempotency_key_reused`, `audit_unavailable`.
 */
export async function askForRole(
  core: Core,
  intent: Intent,
  body: z.output<typeof RequestCreate>,
): Promise<RequestView> {
  try {
    const view = await inChange(core.db, (change) =>
      once(change, intent, RequestView, async () => {
        const request = await create(core, change, intent.caller, body);
        return viewRequest(change.trx, request);
      }),
    );
    core.wake();
    return view;
  } catch (error) {
    throw asSecondClick(error);
  }
}

async function create(
  core: Core,
  change: Change,
  caller: Principal,
  body: z.output<typeof RequestCreate>,
): Promise<StoredRequest> {
  const role = visibleRole(core, caller, body.roleId);
  const wish = {
    purpose: judgePurpose(body.purpose),
    minutes: judgeWindow(body.minutes, role),
    ticket: body.ticket,
    codeContext: body.codeContext,
  };
  expectFresh(caller, change.nowMs);
  await expectAvailable(change, role);
  await expectFirst(change, caller, role);
  const decision = judge(core.policy, caller, role, wish, change.nowMs);
  if (decision.kind === 'refused') {
    throw new ExplainedRefusal(
      'refused_by_policy',
      'The access policy does not allow this request. The reasons say what would be allowed.',
      decision.because,
    );
  }
  const asked: StoredRequest = {
    id: randomUUID(),
    version: 1,
    state: 'pending',
    requester: { iss: caller.iss, sub: caller.sub },
    roleId: role.id,
    role,
    roleHash: roleHash(role),
    team: role.team,
    ...wish,
    approvedMinutes: undefined,
    stages: decision.kind === 'needs_approval' ? decision.stages : [],
    approvals: [],
    hash: hashOf(core.policy, caller, role, wish),
    policyVersion: core.policy.hash,
    because: decision.because,
    createdAtMs: change.nowMs,
    lapsesAtMs: change.nowMs + minutesToMs(core.lapseMinutes),
    grantId: undefined,
  };
  const request = settle(asked, { requesterFresh: true, grantId: randomUUID(), atMs: change.nowMs });
  await insertRequest(change, request);
  await tellOfRequest(change, 'request.created', request, caller, {
    minutes: request.minutes,
    purpose: request.purpose,
    ticket: request.ticket,
    policyVersion: request.policyVersion,
    decision: decision.kind,
    because: [...decision.because],
  });
  if (request.state === 'approved') {
    await openGrant(change, core.policy.catalogue, request, undefined);
    await tellOfRequest(change, 'request.approved', request, undefined, { by: 'policy' });
  }
  return request;
}

function visibleRole(core: Core, caller: Principal, roleId: string): Role {
  const role = core.policy.catalogue.roles.find((candidate) => candidate.id === roleId);
  const teams = teamsOf(caller, core.policy.catalogue);
  if (role === undefined || !seesRole(caller, teams, role)) {
    throw new OamError('unknown_role', 'There is no such role for you. Choose one from the list of roles.', {
      detail: roleId,
    });
  }
  return role;
}

/** @throws {OamError} `sign_in_again` where the token's facts are too old to act on. */
export function expectFresh(caller: Principal, nowMs: number): void {
  if (areFactsFresh(caller, nowMs)) return;
  throw new OamError(
    'sign_in_again',
    'What your identity provider said about you is more than an hour old. Sign in again, then repeat this.',
  );
}

async function expectAvailable(change: Change, role: Role): Promise<void> {
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

async function expectFirst(change: Change, caller: Principal, role: Role): Promise<void> {
  const open = await change.trx
    .selectFrom('access_request')
    .select('id')
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('role_id', '=', role.id)
    .where('state', 'in', ['pending', 'awaiting_requester'])
    .executeTakeFirst();
  if (open !== undefined) throw alreadyRequested(open.id);
  const held = await change.trx
    .selectFrom('access_grant')
    .select('id')
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('role_id', '=', role.id)
    .where('state', 'in', LIVE_STATES)
    .executeTakeFirst();
  if (held !== undefined) throw alreadyHeld(held.id);
}

function alreadyRequested(id?: string): OamError {
  return new OamError(
    'already_requested',
    'You have asked for this role already and it waits for a decision. Follow that request, or cancel it first.',
    id === undefined ? {} : { detail: `request ${id}` },
  );
}

function alreadyHeld(id?: string): OamError {
  return new OamError(
    'already_held',
    'You have this role already. Use it, or return it before you ask again.',
    id === undefined ? {} : { detail: `grant ${id}` },
  );
}

/** Two clicks at the same instant pass every check; the second then fails at an index. */
function asSecondClick(error: unknown): unknown {
  if (!(error instanceof Error) || !('constraint' in error)) return error;
  if (error.constraint === 'access_request_one_open') return alreadyRequested();
  if (error.constraint === 'access_grant_one_live') return alreadyHeld();
  return error;
}
