import * as z from 'zod/mini';

import type { AuditExportRow } from './audit.ts';
import { PersonView } from './schemas.ts';

/** The version of the Open Cybersecurity Schema Framework whose classes are used. */
const OCSF_VERSION = '1.8.0';

/** Identity and access management. */
const CATEGORY = 3;

const AUTHENTICATION = 3002;
const AUTHORIZE_SESSION = 3003;
const ENTITY_MANAGEMENT = 3004;
const USER_ACCESS = 3005;
const GROUP_MANAGEMENT = 3006;

const OTHER = 99;

type Members = Readonly<Record<string, unknown>>;

/** An OCSF event. */
export type OcsfEvent = Members;

/** What a class says about a row. */
interface Kind {
  readonly classUid: number;
  readonly activityId: number;
  readonly members: Members;
}

/** What of a row's detail the mapping knows. */
const Detail = z.object({
  principal: z.optional(z.object({ iss: z.string(), sub: z.string() })),
  group: z.optional(z.string()),
  name: z.optional(z.string()),
  purpose: z.optional(z.string()),
  leaseId: z.optional(z.string()),
  tokenId: z.optional(z.string()),
  address: z.optional(z.string()),
  policyVersion: z.optional(z.string()),
  code: z.optional(z.string()),
  reason: z.optional(z.string()),
});
type Detail = z.infer<typeof Detail>;

/** Requests end with these; their purpose is not asked for any more. */
const LAST = /^(request\.(denied|cancelled|lapsed)|grant\.(ended|failed))$/;

/**
 * Creates a mapper of rows, in the order of the chain, to OCSF events. The purpose of a request has no place of its
 * own in OCSF: it goes with every row of the request and its grant, in `unmapped`.
 */
export function ocsfMapper(): (row: AuditExportRow) => OcsfEvent {
  const purposes = new Map<string, string>();
  return (row) => {
    const detail = Detail.safeParse(row.detail).data ?? {};
    const { requestId } = row;
    if (requestId !== null && detail.purpose !== undefined) purposes.set(requestId, detail.purpose);
    const purpose = requestId === null ? undefined : purposes.get(requestId);
    if (requestId !== null && LAST.test(row.event)) purposes.delete(requestId);
    return eventOf(row, detail, purpose);
  };
}

function eventOf(row: AuditExportRow, detail: Detail, purpose: string | undefined): OcsfEvent {
  const { classUid, activityId, members } = kindOf(row, detail);
  const failed = /\.(refused|failed|revoke_stuck)$/.test(row.event);
  const actor = userOf(row);
  return {
    ...{ category_uid: CATEGORY, class_uid: classUid, activity_id: activityId },
    type_uid: classUid * 100 + activityId,
    ...(activityId === OTHER && { activity_name: row.event }),
    time: Date.parse(row.at),
    severity_id: failed ? 3 : 1,
    status_id: failed ? 2 : 1,
    ...(detail.code !== undefined && { status_code: detail.code }),
    ...(detail.reason !== undefined && { status_detail: detail.reason }),
    message: `oam.${row.event}`,
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Databricks ML OAM', vendor_name: 'Databricks ML OAM' },
      ...{ uid: row.id, log_name: 'oam.audit', event_code: row.event },
      ...(row.sequence !== null && { sequence: row.sequence }),
      ...((row.grantId ?? row.requestId) !== null && { correlation_uid: row.grantId ?? row.requestId }),
    },
    ...(actor !== undefined && { actor: { user: actor } }),
    ...(detail.address !== undefined && { src_endpoint: { ip: detail.address } }),
    ...members,
    unmapped: {
      ...(purpose !== undefined && { purpose }),
      ...{ requestId: row.requestId, grantId: row.grantId, roleId: row.roleId },
      ...{ detail: row.detail, hash: row.hash },
    },
  };
}

function kindOf(row: AuditExportRow, detail: Detail): Kind {
  const { event } = row;
  const family = event.split('.')[0];
  const user =
    detail.principal === undefined
      ? userOf(row)
      : { uid: detail.principal.sub, domain: detail.principal.iss };
  if (event === 'grant.active' || event === 'grant.ended') {
    return {
      classUid: GROUP_MANAGEMENT,
      activityId: event === 'grant.active' ? 3 : 4,
      members: { group: { uid: detail.group ?? 'unknown' }, ...(user && { user }) },
    };
  }
  if (family === 'session' || family === 'authentication') {
    return {
      classUid: AUTHENTICATION,
      activityId: 1,
      members: {
        user: user ?? UNKNOWN_USER,
        service: { name: 'Databricks ML OAM' },
        ...(detail.tokenId !== undefined && { session: { uid: detail.tokenId } }),
      },
    };
  }
  if (event === 'credential.issued') {
    return {
      classUid: AUTHORIZE_SESSION,
      activityId: 1,
      members: {
        user: user ?? UNKNOWN_USER,
        privileges: [row.roleId ?? 'unknown'],
        ...(detail.leaseId !== undefined && { session: { uid: detail.leaseId } }),
      },
    };
  }
  if (row.roleId !== null) {
    return {
      classUid: USER_ACCESS,
      activityId: ACCESS_ACTIVITIES[event] ?? OTHER,
      members: { user: user ?? UNKNOWN_USER, privileges: [row.roleId] },
    };
  }
  return {
    classUid: ENTITY_MANAGEMENT,
    activityId: ENTITY_ACTIVITIES[event] ?? OTHER,
    members: { entity: entityOf(row, detail) },
  };
}

/** Assign and revoke privileges. */
const ACCESS_ACTIVITIES: Readonly<Record<string, number>> = { 'grant.scheduled': 1, 'grant.revoking': 2 };

/** Read, update, activate. */
const ENTITY_ACTIVITIES: Readonly<Record<string, number>> = {
  'audit.read': 2,
  'audit.exported': 2,
  'policy.published': 3,
  'policy.refused': 3,
  'server.started': 10,
};

const UNKNOWN_USER = { name: 'unknown' };

function entityOf(row: AuditExportRow, detail: Detail): Members {
  const family = row.event.split('.')[0] ?? '';
  if (family === 'audit') return { name: 'audit trail', type: 'Log' };
  if (family === 'policy') return { name: 'access policy', type: 'Policy', version: detail.policyVersion };
  if (family === 'group') return { name: detail.name ?? 'group', type: 'Group', uid: detail.group };
  return { name: family, type: family };
}

function userOf(row: AuditExportRow): { uid: string; name?: string; domain: string } | undefined {
  const person = PersonView.safeParse(row.actor).data;
  return person && { uid: person.sub, name: person.userName, domain: person.iss };
}
