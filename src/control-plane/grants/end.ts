import type * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { GrantView, type ReasonBody } from '../../protocol/schemas.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { teamsOf } from '../roles/teams.ts';
import { type GrantAddress, lockAddressed, lockLatest } from './address.ts';
import { closeGrant } from './close.ts';
import type { StoredGrant } from './rows.ts';
import { viewGrant } from './view.ts';

/**
 * The holder gives access back early. Where the grant was extended, it is the access of today that ends.
 *
 * @throws {OamError} `not_found`, `not_allowed`, `precondition_failed`, `grant_not_active`, `idempotency_key_reused`.
 */
export async function returnGrant(core: Core, intent: Intent, address: GrantAddress): Promise<GrantView> {
  return end(core, intent, address, (change, grant) => {
    if (!samePrincipal(grant.principal, intent.caller)) {
      throw new OamError(
        'not_allowed',
        'Only the holder can return access. A lead of the team can revoke it.',
      );
    }
    return closeGrant(change, core.debt, grant, { reason: 'returned', actor: intent.caller });
  });
}

/**
 * Somebody whom policy allows it ends another's access.
 *
 * @throws {OamError} as {@link returnGrant}, and `groups_overflowed`.
 */
export async function revokeGrant(
  core: Core,
  intent: Intent,
  address: GrantAddress,
  body: z.output<typeof ReasonBody>,
): Promise<GrantView> {
  return end(core, intent, address, (change, grant) => {
    const verdict = core.policy.decideRevocation({
      revoker: intent.caller,
      teams: teamsOf(intent.caller, core.policy.catalogue),
      holder: grant.principal,
      role: grant.role,
    });
    if (!verdict.allowed) {
      throw new ExplainedRefusal(
        'not_allowed',
        "The access policy does not let you end this access. Ask a lead of the role's team.",
        verdict.because,
      );
    }
    return closeGrant(change, core.debt, grant, {
      reason: 'revoked',
      actor: intent.caller,
      comment: body.reason,
      policyVersion: core.policy.hash,
    });
  });
}

async function end(
  core: Core,
  intent: Intent,
  address: GrantAddress,
  work: (change: Change, grant: StoredGrant) => Promise<StoredGrant>,
): Promise<GrantView> {
  const view = await inChange(core.db, (change) =>
    once(change, intent, GrantView, async () => {
      const addressed = await lockAddressed(core, change, intent.caller, address);
      const grant = await lockLatest(change, addressed);
      return viewGrant(change.trx, await work(change, grant));
    }),
  );
  core.wake();
  return view;
}
