import { OamError } from '../../domain/errors.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { type Problem, PROBLEM_CODES, type ProblemCode } from '../../protocol/problem.ts';

/** A refusal that carries the policy's explanation. */
export class ExplainedRefusal extends OamError {
  readonly explanation: readonly string[];

  constructor(code: ProblemCode, sentence: string, explanation: readonly string[]) {
    super(code, sentence);
    this.name = 'ExplainedRefusal';
    this.explanation = explanation;
  }
}

const KINDS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  not_signed_in: [401, 'Not signed in'],
  session_expired: [401, 'Session expired'],
  session_over_limit: [401, 'Session over the limit'],
  wrong_issuer: [401, 'Wrong identity provider'],
  wrong_audience: [401, 'Token for another service'],
  wrong_token_kind: [401, 'Wrong kind of token'],
  code_refused: [403, 'Code not good'],
  wrong_client: [401, 'Token of another application'],
  token_lives_too_long: [401, 'Token lives too long'],
  account_disabled: [403, 'Account not active'],
  groups_overflowed: [403, 'Group list incomplete'],
  not_allowed: [403, 'Not allowed'],
  bad_request: [400, 'Request not understood'],
  purpose_missing: [422, 'Purpose missing'],
  purpose_too_long: [422, 'Purpose too long'],
  window_too_short: [422, 'Window too short'],
  window_too_long: [422, 'Window too long'],
  start_out_of_range: [422, 'Start out of range'],
  unknown_role: [404, 'Unknown role'],
  not_found: [404, 'Not found'],
  idempotency_key_missing: [400, 'Idempotency-Key missing'],
  idempotency_key_reused: [422, 'Idempotency-Key reused'],
  precondition_failed: [412, 'Changed meanwhile'],
  precondition_required: [428, 'If-Match missing'],
  body_too_large: [413, 'Body too large'],
  headers_too_large: [431, 'Headers too large'],
  unsupported_media_type: [415, 'Not JSON'],
  method_not_allowed: [405, 'Method not allowed'],
  request_too_slow: [408, 'Request too slow'],
  refused_by_policy: [403, 'Refused by policy'],
  already_requested: [409, 'Already requested'],
  already_held: [409, 'Already held'],
  already_decided: [409, 'Already decided'],
  already_extended: [409, 'Already extended'],
  own_request: [403, 'Own request'],
  grant_not_active: [409, 'Access not active'],
  role_unavailable: [409, 'Role unavailable'],
  too_many_credentials: [409, 'Too many credentials'],
  sign_in_again: [401, 'Sign in again'],
  link_spent: [410, 'Link spent'],
  delegator_unconfirmed: [409, 'Delegator not confirmed'],
  identity_provider_unavailable: [503, 'Identity provider unavailable'],
  databricks_unavailable: [503, 'Databricks unavailable'],
  audit_unavailable: [503, 'Audit trail unavailable'],
  store_unavailable: [503, 'Store unavailable'],
  too_many_requests: [429, 'Too many requests'],
  internal: [500, 'Internal error'],
};

/** The status and title of a code. */
export function kindOf(code: ProblemCode): { readonly status: number; readonly title: string } {
  const [status, title] = KINDS[code];
  return { status, title };
}

/** SQLSTATE classes in which the database, not the statement, is the trouble: connection, resources, operator. */
const STORE_TROUBLE = /^(?:08|53|57|58)/;

const CONNECTION_TROUBLE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT']);

/** The code that an error has on the wire. */
export function problemCodeOf(error: unknown): ProblemCode {
  if (error instanceof OamError) return PROBLEM_CODES.find((code) => code === error.code) ?? 'internal';
  return isStoreTrouble(error) ? 'store_unavailable' : 'internal';
}

/** The problem that tells of an error. Whatever an unexpected error says stays in the log. */
export function toProblem(error: unknown, redactor: Redactor): Problem {
  const code = problemCodeOf(error);
  const { status, title } = kindOf(code);
  return {
    type: `urn:oam:problem:${code}`,
    title,
    status,
    detail: redactor.redact(detailOf(error, code)),
    code,
    ...(error instanceof ExplainedRefusal && {
      explanation: error.explanation.map((line) => redactor.redact(line)),
    }),
  };
}

function detailOf(error: unknown, code: ProblemCode): string {
  if (code === 'store_unavailable') {
    return 'The control plane cannot reach its database. Nothing was changed; try again in a minute.';
  }
  if (code === 'internal' || !(error instanceof OamError)) {
    return 'Something went wrong in the control plane, and it was logged. Try again; if it stays so, tell your administrator.';
  }
  return error.message;
}

function isStoreTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') {
    return STORE_TROUBLE.test(error.code) || CONNECTION_TROUBLE.has(error.code);
  }
  return /Connection terminated|timeout exceeded when trying to connect/.test(error.message);
}
