import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import type { HttpResponse } from '../protocol/transport.ts';

/** What Databricks said when it refused, in one form whatever of its five forms it came in. */
export interface Refusal {
  /** The HTTP status; 403 where a private-link refusal came as a redirect. */
  readonly status: number;
  /** Databricks' own code: `PERMISSION_DENIED`, `SCIM_404`, `invalid_grant`, … Empty where it gave none. */
  readonly errorCode: string;
  /** Databricks' own words. */
  readonly message: string;
  readonly requestId?: string;
  /** From `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds?: number;
}

/**
 * A call that Databricks refused. Codes:
 * `databricks_unauthenticated` (401, or 403 "Invalid access token"), `databricks_token_refused` (the token endpoint
 * would not issue one), `databricks_role_not_assumed` (nor one with a group's rights), `databricks_permission_denied`, `databricks_not_found` (also the 400s that mean it),
 * `databricks_conflict`, `databricks_quota_used_up`, `databricks_throttled`, `databricks_unavailable` (5xx), `databricks_private_link`,
 * `databricks_rejected` (any other refusal).
 */
export class DatabricksError extends OamError {
  readonly status: number;
  readonly errorCode: string;
  readonly requestId?: string;
  readonly retryAfterSeconds?: number;

  constructor(refusal: Refusal) {
    const { code, sentence } = meaningOf(refusal);
    const name = refusal.errorCode === '' ? `HTTP ${refusal.status}` : refusal.errorCode;
    super(code, sentence, { detail: `${name}: ${refusal.message}` });
    this.name = 'DatabricksError';
    this.status = refusal.status;
    this.errorCode = refusal.errorCode;
    if (refusal.requestId !== undefined) this.requestId = refusal.requestId;
    if (refusal.retryAfterSeconds !== undefined) this.retryAfterSeconds = refusal.retryAfterSeconds;
  }
}

/** True for an answer that is a refusal, also the private-link one that comes as a redirect to a login page. */
export function isRefusal(answer: HttpResponse): boolean {
  return answer.status >= 300 || answer.status < 200;
}

/**
 * Reads a refusal in any of Databricks' forms: API 2.x (`error_code`, `message`), API 1.2 (`error`), SCIM
 * (`detail`, `status`, `scimType`), OAuth (`error`, `error_description`), plain text `CODE: message` or HTML.
 * Source: reference/databricks-apis.md §0.
 */
export function readRefusal(answer: HttpResponse): Refusal {
  const location = answer.headers['location'] ?? '';
  if (location.includes('error=private-link-validation-error')) {
    return {
      status: 403,
      errorCode: PRIVATE_LINK,
      message: 'The workspace is not reachable from this network.',
    };
  }
  const header = answer.headers['x-request-id'] ?? answer.headers['x-databricks-request-id'];
  const said = readJson(answer) ?? readText(answer);
  const requestId = said.requestId ?? header;
  const retryAfterSeconds = readRetryAfter(answer.headers['retry-after']);
  return {
    status: answer.status,
    errorCode: said.errorCode.slice(0, MAX_CODE_CHARACTERS),
    message: said.message.slice(0, MAX_MESSAGE_CHARACTERS),
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

interface Said {
  readonly errorCode: string;
  readonly message: string;
  readonly requestId?: string;
}

const PRIVATE_LINK = 'PRIVATE_LINK_VALIDATION_ERROR';

const JsonError = z.object({
  error_code: z.optional(z.union([z.string(), z.number()])),
  message: z.optional(z.string()),
  details: z.optional(
    z.array(z.looseObject({ '@type': z.optional(z.string()), request_id: z.optional(z.string()) })),
  ),
  error: z.optional(z.string()),
  error_description: z.optional(z.string()),
  detail: z.optional(z.string()),
  status: z.optional(z.union([z.string(), z.number()])),
  scimType: z.optional(z.nullable(z.string())),
});

/** The longest stretch of a foreign page that is shown. */
const MAX_MESSAGE_CHARACTERS = 500;
const MAX_CODE_CHARACTERS = 100;

function readJson(answer: HttpResponse): Said | undefined {
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch {
    return undefined;
  }
  const parsed = JsonError.safeParse(json);
  if (!parsed.success) return undefined;
  const { data } = parsed;
  const requestId = data.details?.find((entry) => entry.request_id !== undefined)?.request_id;
  const withId = requestId === undefined ? {} : { requestId };
  if (data.detail !== undefined) {
    const detail = data.detail === 'null' ? 'SCIM API Internal Error' : data.detail;
    const message = data.scimType ? `${data.scimType} ${detail}` : detail;
    return { errorCode: `SCIM_${data.status ?? answer.status}`, message, ...withId };
  }
  if (data.error !== undefined) {
    return data.error_description === undefined
      ? { errorCode: String(data.error_code ?? ''), message: data.error, ...withId }
      : { errorCode: data.error, message: data.error_description, ...withId };
  }
  return { errorCode: String(data.error_code ?? ''), message: data.message ?? 'request failed', ...withId };
}

function readText({ text, status }: HttpResponse): Said {
  const plain = /^([A-Z][A-Z_]+): ([^]*)$/.exec(text.trim());
  if (plain?.[1] !== undefined && plain[2] !== undefined) {
    return { errorCode: plain[1], message: plain[2] };
  }
  const html = /<pre>([^]*?)<\/pre>/i.exec(text) ?? /<title>([^]*?)<\/title>/i.exec(text);
  const message = (html?.[1] ?? '').trim();
  return {
    errorCode: '',
    message: message === '' ? `status ${status}` : message,
  };
}

function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,6}$/.test(value.trim())) return undefined;
  return Number(value.trim());
}

/** The 400s that mean "not found": Databricks answers so for clusters, jobs, runs and purged clusters' rights. */
const NOT_FOUND_WORDS = /does(?: not|n't) exist|was deleted|has been (?:permanently )?deleted/i;

const NOT_FOUND_CODES = new Set(['RESOURCE_DOES_NOT_EXIST', 'SCIM_404', 'NOT_FOUND', 'ENDPOINT_NOT_FOUND']);

const OAUTH_CODES = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_authorization_details',
  'access_denied',
]);

const THROTTLED_CODES = new Set(['REQUEST_LIMIT_EXCEEDED', 'RESOURCE_EXHAUSTED', 'SCIM_429']);

function meaningOf({ status, errorCode, message }: Refusal): { code: string; sentence: string } {
  if (errorCode === PRIVATE_LINK) {
    return {
      code: 'databricks_private_link',
      sentence: 'This workspace is reachable over a private link only. Connect to its network and try again.',
    };
  }
  // It may come as a 429, but waiting does not help.
  if (errorCode === 'QUOTA_EXCEEDED') {
    return {
      code: 'databricks_quota_used_up',
      sentence: 'Databricks has no room for another one of these. Ask an administrator to delete some.',
    };
  }
  // OAuth's throttling hides in `invalid_request`; it is a wait, not a mistake.
  if (status === 429 || THROTTLED_CODES.has(errorCode) || /^temporarily throttled/i.test(message)) {
    return {
      code: 'databricks_throttled',
      sentence: 'Databricks asks to slow down. It is tried again by itself; wait a moment.',
    };
  }
  if (status >= 500) {
    return {
      code: 'databricks_unavailable',
      sentence: 'Databricks has trouble answering. Try again in a few minutes.',
    };
  }
  // Databricks does not document these words: whatever speaks of assuming is about it.
  if (OAUTH_CODES.has(errorCode) && /\bassum(e|ing|ption)|\bassume_group\b/i.test(message)) {
    return {
      code: 'databricks_role_not_assumed',
      sentence:
        'Databricks does not let you work as this role (yet). Try again in a moment; if it stays so, ask an account admin whether role assumption is enabled.',
    };
  }
  if (OAUTH_CODES.has(errorCode)) {
    return {
      code: 'databricks_token_refused',
      sentence:
        'Databricks issued no token for this sign-in. Sign in again; if it stays so, ask an account admin to check the federation policy.',
    };
  }
  // An expired or revoked token is answered with 403 in these words, not with 401.
  if (status === 401 || (status === 403 && /^invalid (access )?token\b/i.test(message))) {
    return {
      code: 'databricks_unauthenticated',
      sentence: 'Databricks does not accept the token. Sign in again.',
    };
  }
  const stateOfTheGone = status === 400 && errorCode === 'INVALID_STATE' && /cluster/i.test(message);
  const saysMissing =
    status === 400 && errorCode === 'INVALID_PARAMETER_VALUE' && NOT_FOUND_WORDS.test(message);
  if (status === 404 || NOT_FOUND_CODES.has(errorCode) || saysMissing || stateOfTheGone) {
    return {
      code: 'databricks_not_found',
      sentence: 'Databricks does not know this, or does not show it to you. Check the name and your access.',
    };
  }
  if (status === 403) {
    return {
      code: 'databricks_permission_denied',
      sentence: 'Databricks refuses this to you. Ask for a role that gives it.',
    };
  }
  if (status === 409) {
    return {
      code: 'databricks_conflict',
      sentence: 'Somebody else changed this in Databricks at the same time. Try again.',
    };
  }
  return { code: 'databricks_rejected', sentence: 'Databricks rejected the call.' };
}

/** An answer that succeeded but is not of the shape that Databricks documents. */
export function unexpectedAnswer(detail: string): OamError {
  return new OamError(
    'databricks_unexpected_answer',
    'The address answers, but not as Databricks does. Check the workspace host.',
    { detail },
  );
}
