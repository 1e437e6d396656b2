import { type BearerToken, exchangeSubjectToken, type HostTrust } from '../../databricks/index.ts';
import { OamError } from '../../domain/errors.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { type EpochMs, fromUnixSeconds, minutesToMs, SECOND_MS, toUnixSeconds } from '../../domain/time.ts';
import type { CredentialView } from '../../protocol/schemas.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange, storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchGrant, seesGrant } from '../grants/lists.ts';
import { findGrant, lockGrant, type StoredGrant } from '../grants/rows.ts';
import type { Intent } from '../http/idempotency.ts';
import type { Issuer, RoleTokenSigner } from '../issuer/issuer.ts';
import { openLease } from './leases.ts';
import { timestamp } from '../requests/view.ts';

/** What issuing needs. */
export interface CredentialParts {
  readonly core: Core;
  readonly issuer: Issuer;
  /** The Databricks account's id: the audience of role tokens. */
  readonly accountId: string;
  /** The hosts of the catalogue, and no others. */
  readonly trust: HostTrust;
  readonly transport: HttpTransport;
}

/** A credential that was committed to, and is about to be made. */
interface Lease {
  readonly id: string;
  readonly grant: StoredGrant;
  readonly applicationId: string;
  readonly expiresAtMs: EpochMs;
  readonly nowMs: EpochMs;
  readonly signer: RoleTokenSigner;
}

/** Databricks counts a token's life in whole seconds. */
const ROUNDING_MS = SECOND_MS;

/**
 * A short token of a federated role, for the holder of a grant that is active. The lease and its audit row are
 * committed before the token exists; the token itself is kept nowhere, so the same key names the same lease and mints
 * afresh.
 *
 * @throws {OamError} `not_found`, `not_allowed`, `bad_request` (the role is no `federated` one), `grant_not_active`,
 * `idempotency_key_reused`, `databricks_unavailable`, `audit_unavailable`.
 */
export async function issueCredential(
  parts: CredentialParts,
  intent: Intent,
  grantId: string,
): Promise<CredentialView> {
  const { core } = parts;
  const lease = await inChange(core.db, (change) => commit(parts, change, intent, grantId));
  const token = await mint(parts, lease);
  if (token.expiresAtMs > lease.expiresAtMs + ROUNDING_MS) {
    core.logger.error('Databricks issued a token that outlives its grant; it was not handed out.', {
      grantId,
      leaseId: lease.id,
    });
    throw new OamError(
      'databricks_unavailable',
      'Databricks issued a token that would outlive your access, so it was thrown away. Tell your administrator.',
    );
  }
  // The exchange took its time: whoever ended the grant meanwhile must not see a token come out of it.
  if ((await findGrant(core.db, grantId))?.state !== 'active') {
    throw new OamError(
      'grant_not_active',
      'This access has ended. Ask for the role again if you still need it.',
    );
  }
  return {
    leaseId: lease.id,
    grantId,
    host: lease.grant.workspaceHost,
    accessToken: token.accessToken,
    tokenType: 'Bearer',
    expiresAt: timestamp(Math.min(token.expiresAtMs, lease.expiresAtMs)),
  };
}

async function commit(
  { core, issuer }: CredentialParts,
  change: Change,
  intent: Intent,
  grantId: string,
): Promise<Lease> {
  const { caller, key } = intent;
  const grant = await lockGrant(change, grantId);
  if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(grantId);
  if (!samePrincipal(grant.principal, caller)) {
    throw new OamError('not_allowed', 'Only the holder of an access can use it. Ask for the role yourself.');
  }
  const { servicePrincipal } = grant.role;
  if (servicePrincipal === undefined) {
    throw new OamError(
      'bad_request',
      'This role has no credential of its own: while it lives, your own Databricks token carries the right.',
    );
  }
  const endsAtMs = grant.endsAtMs ?? 0;
  if (grant.state !== 'active' || endsAtMs - change.nowMs < SECOND_MS) {
    throw new OamError(
      'grant_not_active',
      'This access is not active. Wait until it is, or ask for it again.',
      {
        detail: grant.state,
      },
    );
  }
  // In whole seconds, as its token says it.
  const expiresAtMs = fromUnixSeconds(
    toUnixSeconds(Math.min(endsAtMs, change.nowMs + minutesToMs(grant.role.tokenMinutes))),
  );
  const { id } = await openLease(change, intent, grant.id, expiresAtMs);
  await recordAudit(change, {
    event: 'credential.issued',
    actor: caller,
    requestId: grant.requestId,
    grantId: grant.id,
    roleId: grant.roleId,
    detail: { leaseId: id, key, expiresAtMs, actsAs: servicePrincipal.applicationId },
  });
  const signer = await issuer.signer(change);
  const { applicationId } = servicePrincipal;
  return { id, grant, applicationId, expiresAtMs, nowMs: change.nowMs, signer };
}

async function mint(parts: CredentialParts, lease: Lease): Promise<BearerToken> {
  const { core, accountId, transport, trust } = parts;
  const subjectToken = await lease.signer.sign({
    grantId: lease.grant.id,
    roleId: lease.grant.roleId,
    audience: accountId,
    expiresAtMs: lease.expiresAtMs,
    nowMs: lease.nowMs,
  });
  const askedAtMs = await storeNowMs(core.db);
  try {
    return await exchangeSubjectToken({
      host: lease.grant.workspaceHost,
      subjectToken,
      clientId: lease.applicationId,
      trust,
      transport,
      clock: { nowMs: () => askedAtMs },
    });
  } catch (error) {
    if (!(error instanceof OamError)) throw error;
    core.logger.warn('Databricks gave no token for a role.', {
      grantId: lease.grant.id,
      reason: error.message,
    });
    throw new OamError(
      'databricks_unavailable',
      'Databricks gave no token for this role. Try again in a minute, and tell your administrator if it stays so.',
      { detail: error.message, cause: error },
    );
  }
}
