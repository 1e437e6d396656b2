import type * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { cancel, hasLapsed, isOpen } from '../../domain/request.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import { RequestView } from '../../protocol/schemas.ts';
import type { RequestCreate } from '../../protocol/requests.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { LIVE_STATES } from '../grants/rows.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { visibleRole } from '../roles/teams.ts';
import { judgePurpose, judgeStart, judgeWindow } from './intake.ts';
import { lockRequest, openRequestId, saveRequest, type StoredRequest } from './rows.ts';
import {
  alreadyHeld,
  asSecondClick,
  expectAvailable,
  expectFresh,
  expectNoOpenRequest,
  submitRequest,
} from './submit.ts';
import { tellOfRequest } from './tell.ts';
import { type Unverified, verifyBefore } from './verification.ts';
import type { Verification } from '../callbacks/verification.ts';
import { viewRequest } from './view.ts';

/**
 * Asks for a role. Policy grants it at once, sends it to approvers, or refuses.
 *
 * @throws {OamError} `unknown_role`, `purpose_missing`, `purpose_too_long`, `window_too_short`, `window_too_long`,
 * `start_out_of_range`, `bad_request`, `sign_in_again`, `groups_overflowed`, `role_unavailable`, `already_requested`, `already_held`,
 * `refused_by_policy`, `idempotency_key_reused`, `audit_unavailable`.
 * @throws {CancelledError} when the signal fires while callbacks are asked.
 */
export async function askForRole(
  core: Core,
  intent: Intent,
  body: z.output<typeof RequestCreate>,
  signal: AbortSignal,
): Promise<RequestView> {
  try {
    const verification = await verifyBefore(core, intent, signal, (change) =>
      prepare(core, change, intent.caller, body),
    );
    const view = await inChange(core.db, (change) =>
      once(change, intent, RequestView, async () => {
        const request = await create(core, change, intent.caller, body, verification);
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
  verification: Verification,
): Promise<StoredRequest> {
  const { role, wish } = await prepare(core, change, caller, body);
  // Nobody has to take a request back first whose approvers are asleep.
  if (wish.breakGlass) await withdrawOpenRequest(change, caller, role);
  return submitRequest(core, change, { requester: caller, actor: caller, role, wish, verification });
}

/** Everything that can be said of the wish before policy is asked. */
async function prepare(
  core: Core,
  change: Change,
  caller: Principal,
  body: z.output<typeof RequestCreate>,
): Promise<Unverified> {
  const role = visibleRole(core.policy.catalogue, caller, body.roleId);
  const wish = {
    purpose: judgePurpose(body.purpose),
    minutes: judgeWindow(body.minutes, role),
    ticket: body.ticket,
    codeContext: body.codeContext,
    extension: undefined,
    startsAtMs: judgeStart(body.startsAt, change.nowMs),
    breakGlass: body.breakGlass ?? false,
  };
  if (wish.breakGlass && wish.startsAtMs !== undefined) {
    throw new OamError('bad_request', 'An emergency begins at once. Leave the start out, or ask as usual.');
  }
  expectFresh(caller, change.nowMs);
  await expectAvailable(change, role);
  if (!wish.breakGlass) await expectNoOpenRequest(change, caller, role, wish.startsAtMs);
  await expectNotHeld(change, caller, role, wish.startsAtMs);
  return { requester: caller, role, wish };
}

/** Access that lies ahead stands in the way of nothing but the same access; nor does what is held now. */
async function expectNotHeld(
  change: Change,
  caller: Principal,
  role: Role,
  startsAtMs: EpochMs | undefined,
): Promise<void> {
  const held = await change.trx
    .selectFrom('access_grant')
    .select('id')
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('role_id', '=', role.id)
    .where('state', 'in', LIVE_STATES)
    .where((eb) =>
      startsAtMs === undefined
        ? eb.or([eb('state', '<>', 'scheduled'), eb('starts_at', 'is', null)])
        : eb('starts_at', '=', toDate(startsAtMs)),
    )
    .executeTakeFirst();
  if (held !== undefined) throw alreadyHeld(held.id);
}

async function withdrawOpenRequest(change: Change, caller: Principal, role: Role): Promise<void> {
  const id = await openRequestId(change, caller, role.id, undefined);
  const request = id === undefined ? undefined : await lockRequest(change, id);
  if (request === undefined || !isOpen(request) || hasLapsed(request, change.nowMs)) return;
  const cancelled = cancel(request, caller, change.nowMs);
  await saveRequest(change, request, cancelled);
  await tellOfRequest(change, 'request.cancelled', cancelled, caller, { by: 'break-glass' });
}
