import type { AuditEvent } from '../../domain/audit-events.ts';
import type { JsonObject } from '../../domain/canonical.ts';
import type { OperationId } from '../../protocol/endpoints.ts';
import type { ProblemCode } from '../../protocol/problem.ts';
import { inChange } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import type { Core } from '../core.ts';
import { MAX_TEXT } from './caller.ts';
import { type Actor, recordAudit } from './record.ts';

/** The event that a refusal of an operation is recorded as; null for those that neither give, take nor show much. */
const EVENTS: Readonly<Record<OperationId, AuditEvent | null>> = {
  createRequest: 'request.refused',
  approveRequest: 'approval.refused',
  denyRequest: 'denial.refused',
  cancelRequest: 'cancellation.refused',
  extendGrant: 'extension.refused',
  reviewGrant: 'grant.review_refused',
  returnGrant: 'return.refused',
  revokeGrant: 'revocation.refused',
  createDelegation: 'delegation.refused',
  revokeDelegation: 'delegation.refused',
  issueCredential: 'credential.refused',
  returnCredentials: null,
  handOver: 'runner.refused',
  renewRunner: 'runner.refused',
  endRunner: 'runner.refused',
  // Anybody may try, so codes are counted as tokens that were refused.
  redeemRunner: null,
  listRunners: null,
  listAudit: 'audit_read.refused',
  exportAudit: 'audit_read.refused',
  listAnchors: 'audit_read.refused',
  rotateKeys: 'signing_key.refused',
  getIssuer: 'signing_key.refused',
  getAuditKeys: null,
  explainRequest: null,
  getBackground: null,
  getConfiguration: null,
  getGrant: null,
  getMe: null,
  getOutlook: null,
  getRequest: null,
  listDelegations: null,
  listEvents: null,
  listGrants: null,
  listLeases: null,
  listRequests: null,
  listRoles: null,
  listTeamLeases: null,
  listTeamMembers: null,
  listTeamTokens: null,
  openLink: 'request_link.refused',
};

/** Slips of a client and troubles of ours: they say nothing about who wanted which access. */
const NOT_ABOUT_ACCESS: ReadonlySet<ProblemCode> = new Set([
  'idempotency_key_missing',
  'idempotency_key_reused',
  'precondition_failed',
  'precondition_required',
  'body_too_large',
  'identity_provider_unavailable',
  'audit_unavailable',
  'store_unavailable',
  'too_many_requests',
  'internal',
]);

/** Whose id stands in an operation's path. */
function subjectOf(operation: OperationId): 'grant' | 'request' | 'other' {
  if (operation.endsWith('Grant') || operation === 'issueCredential' || operation === 'handOver')
    return 'grant';
  return operation.endsWith('Request') || operation === 'openLink' ? 'request' : 'other';
}

/** A refusal as it reached the caller. */
export interface Refusal {
  /** What it is called on the trail, where the operation alone does not say it. */
  readonly event?: AuditEvent | undefined;
  readonly operation: OperationId;
  readonly code: ProblemCode;
  /** Who was refused. Absent where nobody is known to have called. */
  readonly actor: Actor | undefined;
  /** The id in the path, where there is one. */
  readonly id: string | undefined;
  readonly roleId: string | undefined;
  readonly detail: JsonObject;
}

/**
 * Puts a refusal that concerns access on the record, in a change of its own: the refused one is undone. A trail that
 * cannot be written does not turn a refusal into anything else.
 */
export async function recordRefusal(core: Pick<Core, 'db' | 'logger'>, refusal: Refusal): Promise<void> {
  const { operation, code, actor, id } = refusal;
  const event = refusal.event ?? EVENTS[operation];
  if (event === null || actor === undefined || NOT_ABOUT_ACCESS.has(code)) return;
  const rowId = id !== undefined && isId(id) ? id : undefined;
  const subject = subjectOf(operation);
  try {
    await inChange(core.db, (change) =>
      recordAudit(change, {
        event,
        actor,
        requestId: subject === 'request' ? rowId : undefined,
        grantId: subject === 'grant' ? rowId : undefined,
        roleId: refusal.roleId?.slice(0, MAX_TEXT),
        detail: {
          code,
          operation,
          ...refusal.detail,
          ...(subject === 'other' && rowId !== undefined && { id: rowId }),
        },
      }),
    );
  } catch (error) {
    core.logger.error('A refusal could not be recorded.', {
      event,
      code,
      reason: error instanceof Error ? error.message : 'unknown',
    });
  }
}
