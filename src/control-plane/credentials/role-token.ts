import { type BearerToken, exchangeSubjectToken } from '../../databricks/index.ts';
import { OamError } from '../../domain/errors.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { storeNowMs } from '../changes/change.ts';
import type { RoleTokenSigner } from '../issuer/issuer.ts';
import type { Commitment, CredentialParts } from './parts.ts';

/** What {@link mintRoleToken} needs. */
export interface RoleTokenOrder {
  readonly commitment: Commitment;
  readonly signer: RoleTokenSigner;
  /** The service principal that the token is to act as. */
  readonly applicationId: string;
}

/** Databricks counts a token's life in whole seconds. */
const ROUNDING_MS = SECOND_MS;

/**
 * A token of a role's service principal, for OAM's own signed word on the grant.
 *
 * @throws {OamError} `databricks_unavailable`.
 */
export async function mintRoleToken(parts: CredentialParts, order: RoleTokenOrder): Promise<BearerToken> {
  const { leaseId, grant, expiresAtMs } = order.commitment;
  const token = await exchange(parts, order);
  if (token.expiresAtMs <= expiresAtMs + ROUNDING_MS) return token;
  parts.core.logger.error('Databricks issued a token that outlives its grant; it was not handed out.', {
    grantId: grant.id,
    leaseId,
  });
  throw new OamError(
    'databricks_unavailable',
    'Databricks issued a token that would outlive your access, so it was thrown away. Tell your administrator.',
  );
}

async function exchange(
  { core, accountId, transport, trust }: CredentialParts,
  { commitment, signer, applicationId }: RoleTokenOrder,
): Promise<BearerToken> {
  const { grant, expiresAtMs, nowMs } = commitment;
  const subjectToken = await signer.sign({
    grantId: grant.id,
    roleId: grant.roleId,
    audience: accountId,
    expiresAtMs,
    nowMs,
  });
  const askedAtMs = await storeNowMs(core.db);
  try {
    return await exchangeSubjectToken({
      host: grant.workspaceHost,
      subjectToken,
      clientId: applicationId,
      trust,
      transport,
      clock: { nowMs: () => askedAtMs },
    });
  } catch (error) {
    if (!(error instanceof OamError)) throw error;
    core.logger.warn('Databricks gave no token for a role.', { grantId: grant.id, reason: error.message });
    throw new OamError(
      'databricks_unavailable',
      'Databricks gave no token for this role. Try again in a minute, and tell your administrator if it stays so.',
      { detail: error.message, cause: error },
    );
  }
}
