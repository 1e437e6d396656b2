import * as z from 'zod/mini';

import type { AuditRecord } from '../domain/audit-chain.ts';
import type { Endpoint } from './endpoint.ts';
import { clientText, page, PageQuery, PersonView, Timestamp } from './schemas.ts';

/** One row of the audit trail. */
export const AuditRowView = z.object({
  /** Place in the chain; null until the chainer has been there. */
  sequence: z.nullable(z.int()),
  id: z.string(),
  at: Timestamp,
  /** One of `AUDIT_EVENTS`, or of those of a newer control plane. */
  event: z.string(),
  actor: z.nullable(PersonView),
  requestId: z.nullable(z.string()),
  grantId: z.nullable(z.string()),
  roleId: z.nullable(z.string()),
  detail: z.record(z.string(), z.unknown()),
  hash: z.nullable(z.string()),
});
/** See {@link AuditRowView}. */
export type AuditRowView = z.infer<typeof AuditRowView>;

/**
 * A row in an export: as it is stored, whatever somebody made of it. A member beyond these is one that no hash covers,
 * and makes it no row.
 */
export const AuditExportRow = z.strictObject({
  ...AuditRowView.shape,
  actor: z.json(),
  detail: z.json(),
});
/** See {@link AuditExportRow}. */
export type AuditExportRow = z.infer<typeof AuditExportRow>;

/** The last line of an export, by which a whole one is told from one that was cut off on its way. */
export const AuditExportEnd = z.strictObject({
  end: z.strictObject({
    /** Where the server says that its chain ends. */
    sequence: z.int(),
    hash: z.string(),
    /** Rows that stand before this line without a place in the chain. */
    unchained: z.int(),
    /** The identity of the store. */
    epoch: z.string(),
  }),
});
/** See {@link AuditExportEnd}. */
export type AuditExportEnd = z.infer<typeof AuditExportEnd>;

/** A line of an export. */
export const AuditLine = z.union([AuditExportRow, AuditExportEnd]);
/** See {@link AuditLine}. */
export type AuditLine = z.infer<typeof AuditLine>;

/** A signed word on where the chain was at a time; a line of what is kept elsewhere. */
export const AnchorLine = z.strictObject({
  sequence: z.int().check(z.minimum(1)),
  /** The hash of the row with that sequence. */
  hash: z.string(),
  at: Timestamp,
  /** The identity of the store whose chain it is. */
  epoch: z.string(),
  kid: z.string(),
  /** JWS in compact form over the canonical JSON of `sequence`, `hash`, `at` and `epoch`. */
  jws: z.string(),
});
/** See {@link AnchorLine}. */
export type AnchorLine = z.infer<typeof AnchorLine>;

/** A JSON Web Key Set, as far as it is RSA keys for signatures. */
export const AuditKeys = z.object({
  keys: z.array(
    z.object({
      ...{ kty: z.literal('RSA'), n: z.string(), e: z.string() },
      ...{ kid: z.string(), alg: z.string(), use: z.string() },
    }),
  ),
});
/** See {@link AuditKeys}. */
export type AuditKeys = z.infer<typeof AuditKeys>;

/** An event's name, or a family of them: `grant.active`, `grant.*`. */
const EventFilter = z.string().check(z.regex(/^[a-z_]{1,40}(\.[a-z_]{1,40})*(\.\*)?$/));

const Reference = clientText(200, 1);

/** What rows of the trail are asked for; a row has to meet all of it. */
export const AuditFilter = z.object({
  event: z.optional(EventFilter),
  /** `sub` or user name. */
  actor: z.optional(Reference),
  grantId: z.optional(Reference),
  requestId: z.optional(Reference),
  roleId: z.optional(Reference),
  /** Not before. */
  from: z.optional(Timestamp),
  /** Before. */
  to: z.optional(Timestamp),
});
/** See {@link AuditFilter}. */
export type AuditFilter = z.infer<typeof AuditFilter>;

const None = z.object({});

/** The operations on the audit trail. */
export const auditEndpoints = {
  listAudit: {
    method: 'GET',
    path: '/api/v1/audit',
    summary: 'The audit trail, newest first (auditors); the reading is recorded',
    auth: 'bearer',
    params: None,
    query: z.extend(PageQuery, AuditFilter.shape),
    body: undefined,
    response: page(AuditRowView),
    refusals: ['not_allowed', 'groups_overflowed', 'audit_unavailable'],
    successStatus: 200,
  },
  exportAudit: {
    method: 'GET',
    path: '/api/v1/audit/export',
    summary: 'The whole trail in the order of its chain, for verification elsewhere (auditors); recorded',
    auth: 'bearer',
    params: None,
    /** Rows behind this place of the chain only. */
    query: z.object({ after: z._default(z.coerce.number().check(z.int(), z.minimum(0)), 0) }),
    body: undefined,
    response: AuditLine,
    refusals: ['not_allowed', 'groups_overflowed', 'audit_unavailable'],
    successStatus: 200,
    lines: true,
  },
  listAnchors: {
    method: 'GET',
    path: '/api/v1/audit/anchors',
    summary: "The control plane's own copy of its signed anchors, in order (auditors)",
    auth: 'bearer',
    params: None,
    query: z.object({ after: z._default(z.coerce.number().check(z.int(), z.minimum(0)), 0) }),
    body: undefined,
    response: AnchorLine,
    refusals: ['not_allowed', 'groups_overflowed', 'audit_unavailable'],
    successStatus: 200,
    lines: true,
  },
  getAuditKeys: {
    method: 'GET',
    path: '/api/v1/audit/keys',
    summary: 'The public keys that anchors are signed with, as a JSON Web Key Set',
    auth: 'public',
    params: None,
    query: None,
    body: undefined,
    response: AuditKeys,
    refusals: [],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;

/**
 * A row as its hash covers it; undefined where its time is not written in the one form that it has, as a hash over
 * milliseconds does not tell other forms apart.
 */
export function auditRecordOf(row: AuditExportRow): AuditRecord | undefined {
  const { at, ...rest } = row;
  const atMs = Date.parse(at);
  return Number.isNaN(atMs) || new Date(atMs).toISOString() !== at ? undefined : { ...rest, atMs };
}
