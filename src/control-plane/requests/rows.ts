import type { Insertable, Kysely, Selectable } from 'kysely';
import * as z from 'zod/mini';

import { stageContent } from '../../domain/approvers.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import { type AccessRequest, awaitedStage } from '../../domain/request.ts';
import type { Evidence } from '../../domain/evidence.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import { roleText } from '../../domain/role-text.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import { CodeContext } from '../../protocol/schemas.ts';
import { audienceText } from '../approvers/audience.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import { parseRole, Stages } from '../roles/snapshot.ts';
import type { AccessRequestTable, Database } from '../store/tables.ts';
import { evidenceText, parseEvidence } from './evidence-rows.ts';

/** A request with what was said and seen when it was made. */
export interface StoredRequest extends AccessRequest {
  readonly role: Role;
  readonly roleHash: string;
  readonly team: string;
  readonly purpose: string;
  readonly ticket: string | undefined;
  readonly codeContext: CodeContext | undefined;
  /** What callbacks said of ticket and purpose; empty where none was asked. */
  readonly evidence: readonly Evidence[];
  /** The policy's reasons for its last decision. */
  readonly because: readonly string[];
}

const Key = z.object({ iss: z.string(), sub: z.string() });

const Approvals = z.array(
  z.object({
    stage: z.int(),
    approver: Key,
    delegation: z.optional(z.object({ id: z.string(), delegator: Key })),
    verdict: z.enum(['approved', 'denied']),
    requestHash: z.string(),
    comment: z.optional(z.string()),
    atMs: z.number(),
  }),
);

const Because = z.array(z.string());

/** Writes a new request. */
export async function insertRequest(change: Change, request: StoredRequest): Promise<void> {
  await change.trx.insertInto('access_request').values(toRow(request)).execute();
}

/** Reads a request and keeps it from changing until the transaction ends. */
export async function lockRequest(change: Change, id: string): Promise<StoredRequest | undefined> {
  if (!isId(id)) return undefined;
  const row = await change.trx
    .selectFrom('access_request')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row && fromRow(row);
}

/** The id of somebody's request for a role, for one start, that is not decided yet. */
export async function openRequestId(
  change: Change,
  requester: PrincipalKey,
  roleId: string,
  startsAtMs: EpochMs | undefined,
): Promise<string | undefined> {
  const open = await change.trx
    .selectFrom('access_request')
    .select('id')
    .where('iss', '=', requester.iss)
    .where('sub', '=', requester.sub)
    .where('role_id', '=', roleId)
    .where('state', 'in', ['pending', 'awaiting_requester'])
    .where('starts_at', 'is not distinct from', toDate(startsAtMs))
    .executeTakeFirst();
  return open?.id;
}

/** Reads a request. */
export async function findRequest(db: Kysely<Database>, id: string): Promise<StoredRequest | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom('access_request').selectAll().where('id', '=', id).executeTakeFirst();
  return row && fromRow(row);
}

/**
 * Writes a request where the store still holds the version that it was made from.
 *
 * @throws {OamError} `precondition_failed` where somebody was faster.
 */
export async function saveRequest(
  change: Change,
  previous: StoredRequest,
  next: StoredRequest,
): Promise<void> {
  const { id, ...values } = toRow(next);
  const result = await change.trx
    .updateTable('access_request')
    .set(values)
    .where('id', '=', id)
    .where('version', '=', previous.version)
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n) throw changedMeanwhile();
}

/** The refusal of a change that was made on a version which is not the present one. */
export function changedMeanwhile(): OamError {
  return new OamError(
    'precondition_failed',
    'This has changed since you looked at it. Look at it again and decide anew.',
  );
}

/** A request out of its row. */
export function fromRow(row: Selectable<AccessRequestTable>): StoredRequest {
  return {
    id: row.id,
    version: row.version,
    state: row.state,
    requester: { iss: row.iss, sub: row.sub },
    roleId: row.role_id,
    team: row.team,
    role: parseRole(row.role),
    roleHash: row.role_hash,
    minutes: row.minutes,
    approvedMinutes: row.approved_minutes ?? undefined,
    purpose: row.purpose,
    ticket: row.ticket ?? undefined,
    codeContext: row.code_context === null ? undefined : CodeContext.parse(row.code_context),
    stages: Stages.parse(row.stages),
    approvals: Approvals.parse(row.approvals).map((approval) => ({ ...approval, comment: approval.comment })),
    hash: row.hash,
    policyVersion: row.policy_version,
    because: Because.parse(row.because),
    createdAtMs: toMs(row.created_at),
    lapsesAtMs: toMs(row.lapses_at),
    grantId: row.grant_id ?? undefined,
    extension:
      row.extends_grant_id === null
        ? undefined
        : { grantId: row.extends_grant_id, heldMinutes: row.held_minutes ?? 0 },
    startsAtMs: toMs(row.starts_at),
    breakGlass: row.break_glass,
    evidence: parseEvidence(row.evidence),
  };
}

function toRow(request: StoredRequest): Insertable<AccessRequestTable> {
  const awaited = awaitedStage(request);
  return {
    id: request.id,
    version: request.version,
    state: request.state,
    iss: request.requester.iss,
    sub: request.requester.sub,
    role_id: request.roleId,
    team: request.team,
    role: roleText(request.role),
    role_hash: request.roleHash,
    minutes: request.minutes,
    approved_minutes: request.approvedMinutes ?? null,
    purpose: request.purpose,
    ticket: request.ticket ?? null,
    code_context: request.codeContext === undefined ? null : canonicalJson({ ...request.codeContext }),
    stages: canonicalJson(request.stages.map(stageContent)),
    approvals: canonicalJson(
      request.approvals.map((approval) => ({
        ...approval,
        approver: keyOf(approval.approver),
        delegation: approval.delegation && {
          id: approval.delegation.id,
          delegator: keyOf(approval.delegation.delegator),
        },
      })),
    ),
    awaited: audienceText(awaited === undefined ? [] : [awaited]),
    hash: request.hash,
    policy_version: request.policyVersion,
    because: canonicalJson([...request.because]),
    created_at: toDate(request.createdAtMs),
    lapses_at: toDate(request.lapsesAtMs),
    grant_id: request.grantId ?? null,
    extends_grant_id: request.extension?.grantId ?? null,
    held_minutes: request.extension?.heldMinutes ?? null,
    starts_at: toDate(request.startsAtMs),
    break_glass: request.breakGlass,
    evidence: evidenceText(request.evidence),
  };
}

function keyOf({ iss, sub }: PrincipalKey) {
  return { iss, sub };
}
