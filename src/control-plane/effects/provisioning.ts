import { hasCode, OamError } from '../../domain/errors.ts';
import { areFactsFresh } from '../../domain/freshness.ts';
import { isAhead, isLive, startProvisioning } from '../../domain/grant.ts';
import type { WorkspaceClient } from '../../databricks/index.ts';
import type { IdentityProfile } from '../authentication/identity-profiles.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { hasLeft } from '../directory/link.ts';
import { abandonGrant } from '../grants/close.ts';
import { lockGrant, lockHeldGrants, saveGrant, type StoredGrant } from '../grants/rows.ts';
import { tellOfOpening } from '../grants/tell.ts';
import { FALLEN, withoutFallenWords } from '../requests/fallen-words.ts';
import { judge } from '../requests/judgement.ts';
import { judgeAnew } from '../requests/new-ground.ts';
import { lockRequest } from '../requests/rows.ts';
import { roleHash } from '../../domain/request-hash.ts';
import type { DueEffect } from './due.ts';

/**
 * The last look before Databricks is called: is the role still the one that was approved, would policy still give it
 * to this person, on facts that are fresh, and may those who approved still approve? Taken before every write until
 * one was begun: between two tries there can be a restart with another catalogue, and any length of time.
 *
 * @returns the grant as it goes on, or undefined where it does not.
 * @throws {OamError} `sign_in_again` where what is known about the holder is too old: the grant waits.
 */
export async function admit(core: Core, effect: DueEffect): Promise<StoredGrant | undefined> {
  return inChange(core.db, async (change) => {
    // The request first, as everywhere: two changes that take the same two rows take them in the same order.
    const request = await lockRequest(change, effect.grant.requestId);
    const grant = await lockGrant(change, effect.grant.id);
    if (grant === undefined || request === undefined) return undefined;
    if (!isLive(grant)) return undefined;
    // Databricks may know of it: what is there is used, repaired, or ended.
    if (effect.row.begun_at !== null) return grant;
    if (isAhead(grant, change.nowMs)) return undefined;
    const role = core.policy.catalogue.roles.find((candidate) => candidate.id === grant.roleId);
    // A workspace that moved to another host is another place: what was approved was the old one.
    const host = core.policy.catalogue.workspaces.find(({ name }) => name === role?.workspace)?.host;
    if (role === undefined || roleHash(role) !== grant.roleHash || host !== grant.workspaceHost) {
      await abandonGrant(
        change,
        core.debt,
        grant,
        'The role changed before access was given. The request is judged anew.',
      );
      await judgeAnew(core, change, request);
      return undefined;
    }
    // Their request may have been on its way when the directory said so and ended everything that it saw.
    if (await hasLeft(change.trx, core.directory, grant.principal)) {
      await abandonGrant(
        change,
        core.debt,
        grant,
        'The directory says that this person is not active any more.',
      );
      return undefined;
    }
    const holder = await findPrincipal(change.trx, grant.principal);
    if (holder === undefined || !areFactsFresh(holder, change.nowMs)) {
      throw new OamError(
        'sign_in_again',
        'What the identity provider said about you is more than an hour old. Sign in again, and access follows.',
      );
    }
    const decision = judge(core.policy, holder, role, { ...request, minutes: grant.minutes }, change.nowMs);
    if (decision.kind === 'refused') {
      await abandonGrant(
        change,
        core.debt,
        grant,
        `The access policy no longer allows this. ${decision.because.join(' ')}`,
        core.policy.hash,
      );
      return undefined;
    }
    if ((await withoutFallenWords(core, change, request)) !== request) {
      await abandonGrant(change, core.debt, grant, `${FALLEN} The request is judged anew.`);
      await judgeAnew(core, change, request, FALLEN);
      return undefined;
    }
    const next = startProvisioning(grant, change.nowMs);
    if (next === grant) return grant;
    await saveGrant(change, grant, next);
    await tellOfOpening(change, 'grant.provisioning', next);
    return next;
  });
}

/** How the members of groups are found. */
export interface MemberLookup {
  /** The attribute of a Databricks user that equals the subject of the person's tokens. */
  readonly databricksAttribute: IdentityProfile['databricksAttribute'];
}

/**
 * Databricks' id of the member that a grant adds; looked up once and kept before it is written anywhere.
 *
 * @throws {OamError} `unknown_to_databricks` where the account has no such user (yet).
 */
export async function memberIdOf(
  core: Pick<Core, 'db'> & MemberLookup,
  client: WorkspaceClient,
  grant: StoredGrant,
): Promise<string> {
  if (grant.memberId !== undefined) return grant.memberId;
  const memberId = await resolve(client, grant, core.databricksAttribute);
  await core.db.updateTable('access_grant').set({ member_id: memberId }).where('id', '=', grant.id).execute();
  return memberId;
}

/** Gives a grant up in a change of its own. */
export async function abandon(
  core: Pick<Core, 'db' | 'debt'>,
  grantId: string,
  trouble: string,
): Promise<void> {
  await inChange(core.db, async (change) => {
    const [grant] = await lockHeldGrants(change, [grantId]);
    if (grant !== undefined) await abandonGrant(change, core.debt, grant, trouble);
  });
}

async function resolve(
  client: WorkspaceClient,
  grant: StoredGrant,
  attribute: MemberLookup['databricksAttribute'],
): Promise<string> {
  const { sub } = grant.principal;
  if (attribute === 'userName') {
    // Databricks itself vouches for the name, so it is the person's, and no lookalike's.
    const [id, ...others] = await client.userIdsNamed(sub, { userAgentSuffix: `grant/${grant.id}` });
    if (id === undefined || others.length > 0) throw unknownToDatabricks(undefined);
    return id;
  }
  try {
    const user = await client.resolveUserByExternalId(sub, {
      userAgentSuffix: `grant/${grant.id}`,
    });
    return user.id;
  } catch (error) {
    if (!hasCode(error, 'databricks_not_found')) throw error;
    throw unknownToDatabricks(error);
  }
}

function unknownToDatabricks(cause: unknown): OamError {
  return new OamError(
    'unknown_to_databricks',
    'The Databricks account has no user for your sign-in yet. Ask your administrator to provision you; access follows by itself.',
    { cause },
  );
}
