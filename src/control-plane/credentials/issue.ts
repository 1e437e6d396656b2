import { OamError } from '../../domain/errors.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { type CredentialKind, type Role, TOKEN_MAX_MINUTES } from '../../domain/role.ts';
import { type EpochMs, fromUnixSeconds, minutesToMs, SECOND_MS, toUnixSeconds } from '../../domain/time.ts';
import type { CredentialView } from '../../protocol/credentials.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchGrant, seesGrant } from '../grants/lists.ts';
import { findGrant, lockGrant, type StoredGrant } from '../grants/rows.ts';
import type { Intent } from '../http/idempotency.ts';
import { timestamp } from '../requests/view.ts';
import { commitToken, makeToken } from '../personal-tokens/make.ts';
import { expectSignInGoesOn } from './ended-sign-ins.ts';
import { openLease } from './leases.ts';
import type { Commitment, CredentialParts } from './parts.ts';
import { mintRoleToken } from './role-token.ts';

/**
 * What to work with under a grant that is active, for its holder. The lease and its audit row are committed before any
 * token exists; the token itself is kept nowhere, so the same key names the same lease and mints afresh.
 *
 * @throws {OamError} `not_found`, `not_allowed`, `bad_request` (a `member` role has no credential of its own),
 * `grant_not_active`, `sign_in_again` (the sign-in that it is for is over), `idempotency_key_reused`, `too_many_credentials`, `role_unavailable`, `databricks_unavailable`, `audit_unavailable`.
 */
export async function issueCredential(
  parts: CredentialParts,
  intent: Intent,
  grantId: string,
  session?: string,
): Promise<CredentialView> {
  const make = await inChange(parts.core.db, (change) =>
    commit(parts, change, { ...intent, session }, grantId),
  );
  const view = await make();
  // Making it took its time: whoever ended the grant meanwhile must not see a credential come out of it.
  if ((await findGrant(parts.core.db, grantId))?.state !== 'active') {
    throw new OamError(
      'grant_not_active',
      'This access has ended. Ask for the role again if you still need it.',
    );
  }
  return view;
}

/** Who wants a credential, and in which of their sign-ins, where they say so. */
interface SessionIntent extends Intent {
  readonly session: string | undefined;
}

/** Commits to a credential, and answers how it is made. */
async function commit(
  parts: CredentialParts,
  change: Change,
  intent: SessionIntent,
  grantId: string,
): Promise<() => Promise<CredentialView>> {
  const grant = await lockUsableGrant(parts.core, change, intent, grantId);
  await expectSignInGoesOn(change, intent.caller, intent.session);
  const { role } = grant;
  switch (role.credential) {
    case 'member':
      throw new OamError(
        'bad_request',
        'This role has no credential of its own: while it lives, your own Databricks token carries the right.',
      );
    case 'federated': {
      if (role.servicePrincipal === undefined) throw new TypeError(`Nobody to act as: ${role.id}`);
      const { applicationId } = role.servicePrincipal;
      const commitment = await commitLease(change, intent, grant, { actsAs: applicationId });
      const signer = await parts.issuer.signer(change);
      return async () => {
        const { accessToken, expiresAtMs } = await mintRoleToken(parts, {
          commitment,
          signer,
          applicationId,
        });
        return {
          kind: 'bearer',
          ...viewOf(commitment, Math.min(expiresAtMs, commitment.expiresAtMs)),
          accessToken,
          tokenType: 'Bearer',
        };
      };
    }
    case 'assume': {
      const commitment = await commitLease(change, intent, grant, { assumes: role.group.id });
      return () =>
        Promise.resolve({
          kind: 'assumption',
          ...viewOf(commitment, Math.min(grant.endsAtMs ?? 0, commitment.expiresAtMs)),
          assumeGroup: role.group.id,
        });
    }
    case 'pat': {
      const { core, personalTokens } = parts;
      if (role.servicePrincipal === undefined) throw new TypeError(`Nobody to act as: ${role.id}`);
      if (personalTokens === undefined) throw noTokenPrincipal();
      const commitment = await commitLease(change, intent, grant, {
        actsAs: role.servicePrincipal.applicationId,
      });
      const token = await commitToken(change, commitment);
      return async () => {
        const { accessToken, expiresAtMs } = await makeToken({ core, ...personalTokens }, token);
        return {
          kind: 'personal_token',
          ...viewOf(commitment, Math.min(expiresAtMs, commitment.expiresAtMs)),
          accessToken,
          tokenType: 'Bearer',
          warning: PERSONAL_TOKEN_WARNING,
        };
      };
    }
  }
}

async function lockUsableGrant(
  core: Core,
  change: Change,
  { caller }: Intent,
  grantId: string,
): Promise<StoredGrant> {
  const grant = await lockGrant(change, grantId);
  if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(grantId);
  if (!samePrincipal(grant.principal, caller)) {
    throw new OamError('not_allowed', 'Only the holder of an access can use it. Ask for the role yourself.');
  }
  if (grant.state !== 'active' || (grant.endsAtMs ?? 0) - change.nowMs < SECOND_MS) {
    throw new OamError(
      'grant_not_active',
      'This access is not active. Wait until it is, or ask for it again.',
      { detail: grant.state },
    );
  }
  return grant;
}

async function commitLease(
  change: Change,
  intent: SessionIntent,
  grant: StoredGrant,
  detail: Readonly<Record<string, string>>,
): Promise<Commitment> {
  const expiresAtMs = expiryOf(grant.role.credential, grant, change.nowMs);
  const lease = await openLease(change, intent, grant.id, expiresAtMs, intent.session);
  await recordAudit(change, {
    event: 'credential.issued',
    actor: intent.caller,
    requestId: grant.requestId,
    grantId: grant.id,
    roleId: grant.roleId,
    detail: { leaseId: lease.id, key: intent.key, expiresAtMs, ...detail },
  });
  return { leaseId: lease.id, grant, expiresAtMs, nowMs: change.nowMs };
}

/** When a credential that is committed to now expires, at the latest. In whole seconds, as tokens say it. */
function expiryOf(kind: CredentialKind, { role, endsAtMs = 0 }: StoredGrant, nowMs: EpochMs): EpochMs {
  return fromUnixSeconds(toUnixSeconds(latestEnd(kind, role, endsAtMs, nowMs)));
}

function latestEnd(kind: CredentialKind, role: Role, endsAtMs: EpochMs, nowMs: EpochMs): EpochMs {
  switch (kind) {
    // What the holder asks the workspace for ends with their own sign-in, whatever becomes of the grant.
    case 'assume':
      return nowMs + minutesToMs(TOKEN_MAX_MINUTES);
    // The tools that it is for do not ask for another one; it can be deleted before its end.
    case 'pat':
      return endsAtMs;
    case 'member':
    case 'federated':
      return Math.min(endsAtMs, nowMs + minutesToMs(role.tokenMinutes));
  }
}

/** What whoever takes a personal access token has to know. */
const PERSONAL_TOKEN_WARNING =
  'This is a personal access token: whoever has it works as the role from anywhere, until it expires or the access ends. Keep it out of files, logs and shell histories.';

function noTokenPrincipal(): OamError {
  return new OamError(
    'role_unavailable',
    "Personal access tokens cannot be made at present: the configuration names no service principal for them. Tell your administrator to name it in 'databricks.pat'.",
  );
}

function viewOf({ leaseId, grant }: Commitment, expiresAtMs: EpochMs) {
  return { leaseId, grantId: grant.id, host: grant.workspaceHost, expiresAt: timestamp(expiresAtMs) };
}
