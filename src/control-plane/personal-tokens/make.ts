import { randomUUID } from 'node:crypto';

import { DatabricksError, type BearerToken, type ListedToken } from '../../databricks/index.ts';
import { OamError } from '../../domain/errors.ts';
import {
  leaveToken,
  madeToken,
  MAKING_MAX_MS,
  PERSONAL_TOKENS_PER_GRANT,
  refusedToken,
  tokenComment,
  tokenLifetimeSeconds,
} from '../../domain/personal-token.ts';
import { type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange, storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { Workspaces } from '../effects/workspaces.ts';
import { lockHeldGrants, type StoredGrant } from '../grants/rows.ts';
import { leaveFormerTokens } from './leave.ts';
import { countTokens, insertToken, lockToken, saveToken } from './rows.ts';

/** What making personal access tokens needs. */
export interface TokenMakingParts {
  readonly core: Core;
  /** Databricks as OAM's own service principal for tokens reaches it. */
  readonly workspaces: Workspaces;
  /** Masks a token wherever something is told. */
  readonly mask: (secret: string) => void;
}

/** A token that was committed to, and is about to be made. */
export interface TokenCommitment {
  readonly id: string;
  readonly comment: string;
  readonly leaseId: string;
  readonly grant: StoredGrant;
  /** The token expires by then. */
  readonly expiresAtMs: EpochMs;
}

/** What Databricks' clock may differ from the store's. */
const CLOCKS_DIFFER_MS = MINUTE_MS;

/**
 * Commits to a token before it is made, so that it is known of whatever happens to whoever makes it. The grant is locked.
 *
 * @throws {OamError} `too_many_credentials`.
 */
export async function commitToken(
  change: Change,
  { leaseId, grant, expiresAtMs }: Omit<TokenCommitment, 'id' | 'comment'>,
): Promise<TokenCommitment> {
  if ((await countTokens(change, grant, leaseId)) >= PERSONAL_TOKENS_PER_GRANT) {
    throw new OamError(
      'too_many_credentials',
      `This access has ${PERSONAL_TOKENS_PER_GRANT} personal access tokens, and no more can be had. Use one of them, or return the access and ask for it again.`,
    );
  }
  const id = randomUUID();
  const { epoch } = await change.trx.selectFrom('store').select('epoch').executeTakeFirstOrThrow();
  await insertToken(change, {
    ...{ id, leaseId, host: grant.workspaceHost, expiresAtMs },
    giveUpAtMs: change.nowMs + MAKING_MAX_MS,
  });
  return { id, leaseId, grant, expiresAtMs, comment: tokenComment({ epoch, leaseId, tokenId: id }) };
}

/**
 * Makes a token that was committed to. It is handed out once it is on record under a grant that lives still; one that is
 * not handed out is deleted.
 *
 * @throws {OamError} `databricks_unavailable`, `grant_not_active`, `audit_unavailable`.
 */
export async function makeToken(parts: TokenMakingParts, commitment: TokenCommitment): Promise<BearerToken> {
  const { grant } = commitment;
  const client = parts.workspaces.at(grant.workspaceHost);
  const lifetimeSeconds = tokenLifetimeSeconds(commitment.expiresAtMs, await storeNowMs(parts.core.db));
  if (lifetimeSeconds === undefined) {
    await notMade(parts, commitment, 'refused');
    throw over();
  }
  let made: Awaited<ReturnType<typeof client.createTokenOnBehalf>>;
  try {
    made = await client.createTokenOnBehalf(
      { applicationId: applicationIdOf(grant), lifetimeSeconds, comment: commitment.comment },
      { userAgentSuffix: `grant/${grant.id}` },
    );
  } catch (error) {
    await notMade(parts, commitment, isRefusal(error) ? 'refused' : 'unanswered');
    throw unavailable(parts, commitment, error);
  }
  parts.mask(made.value);
  let outcome: Outcome;
  try {
    outcome = await record(parts, commitment, made.token);
  } catch (error) {
    // Nobody will hold it. What is on record lets it be found, too, once that can be read again.
    await client.deletePersonalToken(made.token.id).catch(() => undefined);
    throw error;
  }
  switch (outcome) {
    case 'held':
      return { accessToken: made.value, expiresAtMs: made.token.expiresAtMs ?? commitment.expiresAtMs };
    case 'over':
      throw over();
    case 'replaced':
      throw new OamError(
        'databricks_unavailable',
        'The token came too late, or a later call with the same Idempotency-Key took its place, so it was thrown away. Try again.',
      );
    case 'outlives':
      throw new OamError(
        'databricks_unavailable',
        'Databricks made a token that would outlive your access, so it was thrown away. Tell your administrator.',
      );
  }
}

/** What becomes of a token that was made: it is handed out, or deleted, and why. */
type Outcome = 'held' | 'over' | 'replaced' | 'outlives';

async function record(
  { core }: TokenMakingParts,
  commitment: TokenCommitment,
  made: ListedToken,
): Promise<Outcome> {
  const { grant, leaseId, id } = commitment;
  return inChange(core.db, async (change) => {
    const [now] = await lockHeldGrants(change, [grant.id]);
    const token = await lockToken(change, id);
    const next = madeToken(token, made.id);
    const outcome: Outcome =
      now?.state !== 'active'
        ? 'over'
        : next.state !== 'live'
          ? 'replaced'
          : outlives(made, commitment)
            ? 'outlives'
            : 'held';
    const entry = {
      requestId: grant.requestId,
      grantId: grant.id,
      roleId: grant.roleId,
      detail: { leaseId, token: id, databricksId: made.id, expiresAtMs: made.expiresAtMs },
    };
    if (outcome === 'held') {
      await saveToken(change, next, { nextAttemptAtMs: commitment.expiresAtMs, attempts: 0 });
      await leaveFormerTokens(change, token);
      await recordAudit(change, { event: 'personal_token.made', ...entry });
    } else {
      await saveToken(change, leaveToken(next), { nextAttemptAtMs: change.nowMs, attempts: 0 });
      await core.debt.record(change, {
        event: 'personal_token.thrown_away',
        ...entry,
        detail: { ...entry.detail, because: outcome },
      });
    }
    return outcome;
  }).finally(core.wake);
}

function outlives(made: ListedToken, { expiresAtMs }: TokenCommitment): boolean {
  return made.expiresAtMs === undefined || made.expiresAtMs > expiresAtMs + CLOCKS_DIFFER_MS;
}

/** Databricks said no, or nothing: then it may have made it, and it is looked for. */
async function notMade(
  { core }: TokenMakingParts,
  { id }: TokenCommitment,
  how: 'refused' | 'unanswered',
): Promise<void> {
  await inChange(core.db, async (change) => {
    const token = await lockToken(change, id);
    const next = how === 'refused' ? refusedToken(token) : leaveToken(token);
    await saveToken(change, next, { nextAttemptAtMs: change.nowMs, attempts: 0 });
  });
  core.wake();
}

/** True where Databricks said no: then it made nothing. After a 5xx, a 408 or without an answer, nobody knows. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof DatabricksError && error.status >= 400 && error.status < 500 && error.status !== 408
  );
}

function unavailable(
  { core }: TokenMakingParts,
  { grant, leaseId }: TokenCommitment,
  error: unknown,
): unknown {
  if (!(error instanceof OamError)) return error;
  core.logger.warn('Databricks made no personal access token for a role.', {
    ...{ grantId: grant.id, leaseId, reason: error.message },
  });
  return new OamError(
    'databricks_unavailable',
    'Databricks made no personal access token for this role. Try again in a minute, and tell your administrator if it stays so.',
    { detail: error.message, cause: error },
  );
}

function applicationIdOf({ role }: StoredGrant): string {
  if (role.servicePrincipal === undefined) throw new TypeError(`Nobody to act as: ${role.id}`);
  return role.servicePrincipal.applicationId;
}

function over(): OamError {
  return new OamError(
    'grant_not_active',
    'This access has ended. Ask for the role again if you still need it.',
  );
}
