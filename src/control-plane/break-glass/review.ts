import type * as z from 'zod/mini';

import type { Principal } from '../../domain/principal.ts';
import { reviewGrant } from '../../domain/review.ts';
import { GrantView } from '../../protocol/schemas.ts';
import type { ReviewBody } from '../../protocol/grants.ts';
import { inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { lockAddressed } from '../grants/address.ts';
import { saveGrant, type StoredGrant } from '../grants/rows.ts';
import { viewGrant } from '../grants/view.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import type { Verdict } from '../policy/facts.ts';
import { expectFresh } from '../requests/submit.ts';
import { teamsOf } from '../roles/teams.ts';
import { tellOfBreakGlass } from './tell.ts';

/**
 * Somebody who could have approved an emergency access says what they think of it afterwards.
 *
 * @throws {OamError} `not_found`, `bad_request`, `own_request`, `already_decided`, `not_allowed`, `sign_in_again`,
 * `groups_overflowed`, `idempotency_key_reused`, `audit_unavailable`.
 */
export async function reviewBreakGlass(
  core: Core,
  intent: Intent,
  grantId: string,
  body: z.output<typeof ReviewBody>,
): Promise<GrantView> {
  return inChange(core.db, (change) =>
    once(change, intent, GrantView, async () => {
      const { caller } = intent;
      expectFresh(caller, change.nowMs);
      const grant = await lockAddressed(core, change, caller, { grantId, version: undefined });
      const { verdict, comment } = body;
      const reviewer = { iss: caller.iss, sub: caller.sub };
      const next = reviewGrant(grant, { verdict, comment, reviewer, atMs: change.nowMs });
      expectApprover(core, caller, grant);
      await saveGrant(change, grant, next);
      await tellOfBreakGlass(change, 'grant.reviewed', next, caller, {
        ...{ verdict, comment },
        policyVersion: core.policy.hash,
      });
      return viewGrant(change.trx, next);
    }),
  );
}

function expectApprover(core: Core, caller: Principal, grant: StoredGrant): void {
  const verdict = mayReview(core, caller, grant);
  if (verdict.allowed) return;
  throw new ExplainedRefusal(
    'not_allowed',
    'The access policy does not let you review this access. It is for those who could have approved it.',
    verdict.because,
  );
}

/** Whoever policy lets approve the role, in any of its stages, reviews it. */
function mayReview(core: Core, caller: Principal, grant: StoredGrant): Verdict {
  const because: string[] = [];
  for (const stage of grant.role.approval) {
    const verdict = core.policy.decideApproval({
      approver: caller,
      teams: teamsOf(caller, core.policy.catalogue),
      requester: grant.principal,
      role: grant.role,
      stage,
      minutes: grant.minutes,
    });
    if (verdict.allowed) return verdict;
    because.push(...verdict.because);
  }
  return { allowed: false, because: [...new Set(because)] };
}
