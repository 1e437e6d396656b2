import type { Principal } from '../../domain/principal.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { LIVE_STATES, lockHeldGrants } from '../grants/rows.ts';
import { leaveTokensOfLeases } from '../personal-tokens/leave.ts';
import { among } from '../store/among.ts';
import { endSignIn } from './ended-sign-ins.ts';

/**
 * Gives back what a person's sign-in was issued and Databricks can take back, before their access ends: their personal
 * access tokens are deleted from then on, and that sign-in is issued nothing more, also where it asked at this very moment.
 * What lives for minutes runs out. Says how many leases there were; the same again finds none. It is recorded where the trail
 * takes it, and happens all the same.
 */
export async function returnCredentials(
  core: Core,
  caller: Principal,
  session: string,
): Promise<{ returned: number }> {
  await endSignIn(core.db, caller, session);
  const returned = await inChange(core.db, async (change) => {
    // A lease comes and changes only while its grant is locked: whoever asked before the end was kept is waited for.
    const held = await liveGrantIds(change, caller);
    const before = await openLeases(change, caller, session);
    const grants = await lockHeldGrants(change, [
      ...new Set([...held, ...before.map(({ grant_id }) => grant_id)]),
    ]);
    if (grants.length === 0) return 0;
    const leases = await openLeases(change, caller, session);
    const byId = new Map(grants.map((grant) => [grant.id, grant]));
    const returning = leases.flatMap(({ id, grant_id }) => {
      const grant = byId.get(grant_id);
      return grant === undefined ? [] : [{ id, grant }];
    });
    const ids = returning.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await leaveTokensOfLeases(change, ids);
    await change.trx
      .updateTable('credential_lease')
      .set({ state: 'outlives', outlives_what: 'right' })
      .where('id', '=', among('uuid', ids))
      .execute();
    for (const { id, grant } of returning) {
      await core.debt.record(change, {
        event: 'credential.returned',
        actor: caller,
        ...{ requestId: grant.requestId, grantId: grant.id, roleId: grant.roleId },
        detail: { leaseId: id, because: 'signed_out' },
      });
    }
    return ids.length;
  });
  if (returned > 0) core.wake();
  return { returned };
}

/** The live grants of a person that personal access tokens can be made under. */
async function liveGrantIds({ trx }: Change, { iss, sub }: Principal): Promise<string[]> {
  const rows = await trx
    .selectFrom('access_grant')
    .select('id')
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('state', 'in', LIVE_STATES)
    .where('credential', '=', 'pat')
    .execute();
  return rows.map(({ id }) => id);
}

/** The leases of a sign-in whose tokens may be at Databricks. */
function openLeases(
  { trx }: Change,
  { iss, sub }: Principal,
  session: string,
): Promise<{ id: string; grant_id: string }[]> {
  return trx
    .selectFrom('credential_lease as lease')
    .select(['lease.id', 'lease.grant_id'])
    .where('lease.iss', '=', iss)
    .where('lease.sub', '=', sub)
    .where('lease.session', '=', session)
    .where('lease.state', 'in', ['issued', 'renewed'])
    .where((row) =>
      row.exists(
        row
          .selectFrom('personal_token as token')
          .select('token.id')
          .whereRef('token.lease_id', '=', 'lease.id')
          .where('token.state', '<>', 'gone'),
      ),
    )
    .execute();
}
