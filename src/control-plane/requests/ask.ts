import type * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import { type RequestCreate, RequestView } from '../../protocol/schemas.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { LIVE_STATES } from '../grants/rows.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { seesRole, teamsOf } from '../roles/teams.ts';
import { judgePurpose, judgeWindow } from './intake.ts';
import type { StoredRequest } from './rows.ts';
import {
  alreadyHeld,
  asSecondClick,
  expectAvailable,
  expectFresh,
  expectNoOpenRequest,
  submitRequest,
} from './submit.ts';
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
    extension: undefined,
  };
  expectFresh(caller, change.nowMs);
  await expectAvailable(change, role);
  await expectNoOpenRequest(change, caller, role);
  await expectNotHeld(change, caller, role);
  return submitRequest(core, change, { requester: caller, actor: caller, role, wish });
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

async function expectNotHeld(change: Change, caller: Principal, role: Role): Promise<void> {
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
