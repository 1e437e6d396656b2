import { randomUUID } from 'node:crypto';

import { type Delegation, nameDelegate } from '../../domain/delegation.ts';
import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { type DelegationCreate, DelegationView } from '../../protocol/delegations.ts';
import { findPrincipals } from '../authentication/principals.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { expectFresh } from '../requests/submit.ts';
import { teamsOf } from '../roles/teams.ts';
import { insertDelegation } from './rows.ts';
import { tellOfNaming } from './tell.ts';
import { viewDelegation } from './view.ts';

/**
 * Lets somebody else give the caller's word for a time, where policy allows it of both.
 *
 * @throws {OamError} `not_allowed`, `not_found`, `bad_request`, `refused_by_policy`, `purpose_missing`, `start_out_of_range`,
 * `window_too_short`, `window_too_long`, `sign_in_again`, `groups_overflowed`, `idempotency_key_reused`,
 * `audit_unavailable`.
 */
export async function createDelegation(
  core: Core,
  intent: Intent,
  body: DelegationCreate,
): Promise<DelegationView> {
  const view = await inChange(core.db, (change) =>
    once(change, intent, DelegationView, async () => {
      const delegation = await name(core, change, intent.caller, body);
      return viewDelegation(change.trx, delegation, change.nowMs);
    }),
  );
  core.wake();
  return view;
}

async function name(
  core: Core,
  change: Change,
  caller: Principal,
  body: DelegationCreate,
): Promise<Delegation> {
  if (caller.workload !== undefined) {
    throw new OamError(
      'not_allowed',
      'Only people decide, so only people name somebody who decides for them.',
    );
  }
  expectFresh(caller, change.nowMs);
  const reason = body.reason.trim();
  if (reason === '')
    throw new OamError('purpose_missing', 'Say why somebody else decides for you, in a few words.');
  const callerTeams = teamsOf(caller, core.policy.catalogue);
  const delegate = await findPerson(change, caller, body.delegate);
  const delegation = nameDelegate(
    {
      id: randomUUID(),
      delegator: { iss: caller.iss, sub: caller.sub },
      delegate: { iss: delegate.iss, sub: delegate.sub },
      reason,
      startsAtMs: body.startsAt === undefined ? undefined : Date.parse(body.startsAt),
      endsAtMs: Date.parse(body.endsAt),
    },
    change.nowMs,
  );
  // A list that overflowed is neither a yes nor a no; and one team learns of another's people not even that they exist.
  if (delegate.groups.kind === 'overflowed') throw nobody(body.delegate);
  const delegateTeams = teamsOf(delegate, core.policy.catalogue);
  const verdict = core.policy.decideDelegation({
    ...{ delegator: caller, delegatorTeams: callerTeams, delegate, delegateTeams, team: undefined },
  });
  if (!verdict.allowed) {
    const known = delegateTeams.some((team) => callerTeams.some((own) => own.name === team.name));
    if (!known) throw nobody(body.delegate);
    throw new ExplainedRefusal(
      'refused_by_policy',
      'The access policy does not let this person decide for you. The reasons say who may.',
      verdict.because,
    );
  }
  await insertDelegation(change, delegation);
  await tellOfNaming(change, delegation, caller);
  return delegation;
}

/** By user name or subject, of the caller's own identity provider. User names can pass on, so two of one name are none. */
async function findPerson(change: Change, caller: Principal, text: string): Promise<Principal> {
  const rows = await change.trx
    .selectFrom('principal')
    .select(['iss', 'sub'])
    .where('iss', '=', caller.iss)
    .where('workload', 'is', null)
    .where((eb) => eb.or([eb('sub', '=', text), eb(eb.fn('lower', ['user_name']), '=', text.toLowerCase())]))
    .limit(2)
    .execute();
  const [person, other] = await findPrincipals(change.trx, rows);
  if (person === undefined) throw nobody(text);
  if (other !== undefined) {
    throw new OamError(
      'bad_request',
      'Several people have this name. Name the one that you mean by their subject.',
    );
  }
  return person;
}

function nobody(text: string): OamError {
  return new OamError(
    'not_found',
    'There is nobody of this name in your teams who could decide for you. They have to have signed in once.',
    { detail: text },
  );
}
