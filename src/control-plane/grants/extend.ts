import type * as z from 'zod/mini';

import { hasCode, OamError } from '../../domain/errors.ts';
import { expectExtendable, extensionMinutes, heldMinutesAtEnd } from '../../domain/extension.ts';
import { type Principal, samePrincipal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import { RequestView } from '../../protocol/schemas.ts';
import type { ExtendBody } from '../../protocol/grants.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { giveApproval } from '../requests/approval.ts';
import { judgePurpose } from '../requests/intake.ts';
import { findRequest, type StoredRequest } from '../requests/rows.ts';
import {
  asSecondClick,
  expectAvailable,
  expectFresh,
  expectNoOpenRequest,
  type Submission,
  submitRequest,
} from '../requests/submit.ts';
import { verifyBefore } from '../requests/verification.ts';
import { viewRequest } from '../requests/view.ts';
import { ledTeams } from '../roles/teams.ts';
import { type GrantAddress, lockAddressed } from './address.ts';
import { continuesAs } from './continue.ts';
import type { StoredGrant } from './rows.ts';

/**
 * Asks that access lasts longer. Policy is asked as for a new request, about the whole time that the role would have
 * been held; a lead who asks for somebody of their team gives their own approval with it, where it is one that counts.
 *
 * @throws {OamError} `not_found`, `not_allowed`, `precondition_failed`, `grant_not_active`, `already_extended`,
 * `window_too_short`, `window_too_long`, `bad_request`, `purpose_missing`, `purpose_too_long`, `role_unavailable`,
 * `already_requested`, `refused_by_policy`, `sign_in_again`, `groups_overflowed`, `idempotency_key_reused`,
 * `audit_unavailable`.
 * @throws {CancelledError} when the signal fires while callbacks are asked.
 */
export async function extendGrant(
  core: Core,
  intent: Intent,
  address: GrantAddress,
  body: z.output<typeof ExtendBody>,
  signal: AbortSignal,
): Promise<RequestView> {
  try {
    const verification = await verifyBefore(core, intent, signal, (change) =>
      prepare(core, change, intent.caller, address, body),
    );
    const view = await inChange(core.db, (change) =>
      once(change, intent, RequestView, async () => {
        const prepared = await prepare(core, change, intent.caller, address, body);
        const request = await ask(core, change, intent.caller, { ...prepared, verification });
        return viewRequest(change.trx, request);
      }),
    );
    core.wake();
    return view;
  } catch (error) {
    throw asSecondClick(error);
  }
}

/** Everything that can be said of the wish before policy is asked. */
async function prepare(
  core: Core,
  change: Change,
  caller: Principal,
  address: GrantAddress,
  body: z.output<typeof ExtendBody>,
): Promise<Omit<Submission, 'verification'>> {
  expectFresh(caller, change.nowMs);
  const grant = await lockAddressed(core, change, caller, address);
  const holder = await holderFor(core, change, caller, grant);
  if (body.breakGlass === true && holder !== caller) {
    throw new OamError(
      'not_allowed',
      'Only the holder breaks the glass: whoever does answers for it, and somebody else reviews it. Extend the access as usual.',
    );
  }
  const active = expectExtendable(grant, change.nowMs);
  const role = roleToContinue(core, grant);
  await expectAvailable(change, role);
  await expectNoOpenRequest(change, holder, role, undefined);
  const first = await findRequest(change.trx, grant.requestId);
  return {
    requester: holder,
    actor: caller,
    role,
    wish: {
      purpose: body.purpose === undefined ? grant.purpose : judgePurpose(body.purpose),
      minutes: extensionMinutes(active, body.minutes, role, change.nowMs),
      ticket: body.ticket ?? first?.ticket,
      codeContext: first?.codeContext,
      startsAtMs: undefined,
      breakGlass: body.breakGlass ?? false,
      extension: { grantId: grant.id, heldMinutes: heldMinutesAtEnd(active) },
    },
    lapsesByMs: active.endsAtMs,
  };
}

async function ask(
  core: Core,
  change: Change,
  caller: Principal,
  submission: Submission,
): Promise<StoredRequest> {
  const request = await submitRequest(core, change, submission);
  return samePrincipal(caller, submission.requester) ? request : withWordOf(core, change, caller, request);
}

async function holderFor(
  core: Core,
  change: Change,
  caller: Principal,
  grant: StoredGrant,
): Promise<Principal> {
  if (samePrincipal(caller, grant.principal)) return caller;
  if (!ledTeams(caller, core.policy.catalogue).includes(grant.team)) {
    throw new OamError(
      'not_allowed',
      'Only the holder and the leads of the team can extend access. Ask them.',
    );
  }
  const holder = await findPrincipal(change.trx, grant.principal);
  if (holder === undefined) throw new TypeError(`The store does not know the holder of ${grant.id}.`);
  return holder;
}

function roleToContinue(core: Core, grant: StoredGrant): Role {
  const { catalogue } = core.policy;
  const role = catalogue.roles.find((candidate) => candidate.id === grant.roleId);
  if (role !== undefined && continuesAs(role, catalogue, grant)) return role;
  throw new OamError(
    'role_unavailable',
    'The role is not what it was when this access was given, so it cannot be extended. Ask for it again after the end.',
  );
}

/** Where the lead is none of the approvers that the role waits for, the request waits for those. */
async function withWordOf(
  core: Core,
  change: Change,
  lead: Principal,
  request: StoredRequest,
): Promise<StoredRequest> {
  if (request.state !== 'pending') return request;
  try {
    return await giveApproval(core, change, request, lead, {});
  } catch (error) {
    if (hasCode(error, 'not_allowed')) return request;
    throw error;
  }
}
