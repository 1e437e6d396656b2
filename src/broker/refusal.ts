import { type OamError } from '../domain/errors.ts';

/**
 * Why the broker gave no token. Databricks' SDKs show their users next to nothing of it, so whoever opened the
 * path is told as well.
 */
export interface Refusal {
  /** Stable: one of the broker's own codes below, or the code of the {@link OamError} that a token source threw. */
  readonly code: string;
  /** The HTTP status that went out. Never 429 or 504: Databricks' Go SDK repeats those until its time is up. */
  readonly status: number;
  /** A sentence for the person, with the next step. */
  readonly sentence: string;
  /** What differs from one occurrence to the next. Never a secret and never a path. */
  readonly detail?: string;
}

/** What the broker refuses by itself, by code. What a token source throws keeps the code of its error. */
export const BROKER_CODES = [
  'http_version',
  'host_header_missing',
  'wrong_host_header',
  'from_a_web_page',
  'method',
  'address_too_long',
  'headers_too_long',
  'request_too_slow',
  'not_http',
  'body',
  'unknown_path',
  'protocol_version',
  'workspace_missing',
  'other_workspace',
  'other_user',
  'peer_unknown',
  'token_slow',
  'token_timed_out',
  'token_too_short',
  'token_failed',
  'internal',
  'grant_ended',
  'signed_out',
  'principal_changed',
  'closed',
] as const;

/** One of {@link BROKER_CODES}. */
export type BrokerCode = (typeof BROKER_CODES)[number];

/** A refusal of the broker's own. */
export interface BrokerRefusal extends Refusal {
  readonly code: BrokerCode;
}

/** Why a path was ended. It refuses for ever after. */
export const PATH_ENDS = {
  grant_ended: {
    sentence: 'The access behind this address has ended. Ask for it again if you still need it.',
  },
  signed_out: {
    sentence: 'You signed out, so this address is closed. Sign in and start the program anew.',
  },
  principal_changed: {
    sentence:
      'Somebody else has signed in, and this address stays with the first person. Start the program anew.',
  },
  closed: {
    sentence: 'This address is closed. Start the program anew from a place where OAM is in use.',
  },
} as const satisfies Partial<Record<BrokerCode, { readonly sentence: string }>>;

/** One of {@link PATH_ENDS}. */
export type PathEnd = keyof typeof PATH_ENDS;

/** True for an error code after which a path has nothing to give any more. */
export function isPathEnd(code: string): code is PathEnd {
  return Object.hasOwn(PATH_ENDS, code);
}

/** Trouble that passes by itself: whoever asks may wait a moment for the next try. */
const PASSING: readonly string[] = [
  ...['unreachable', 'timed_out', 'identity_provider_unavailable', 'issuer_unavailable', 'token_timed_out'],
  ...['store_unavailable', 'audit_unavailable', 'temporarily_unavailable', 'too_many_requests'],
  ...['databricks_unavailable', 'databricks_throttled'],
];

/** True for an error code of {@link PASSING} trouble. */
export function isPassing(code: string): boolean {
  return PASSING.includes(code);
}

/** True for a refusal that whoever asks again later may not get any more, though nobody does anything about it. */
export function passesByItself({ code }: Refusal): boolean {
  return isPassing(code) || code === 'token_slow';
}

const GONE = 410;

/** The refusal of a path that was ended. */
export function endedRefusal(end: PathEnd): BrokerRefusal {
  return { code: end, status: GONE, sentence: PATH_ENDS[end].sentence };
}

const UNAVAILABLE = 503;

const STATUS_OF_SOURCE_CODE: Readonly<Record<string, number>> = {
  not_signed_in: 401,
  session_expired: 401,
  databricks_sign_in_needed: 401,
  databricks_own_sign_in_needed: 401,
  databricks_sign_in_ended: 401,
  wrong_audience: 401,
  untrusted_host: 403,
  workspace_not_agreed: 403,
  untrusted_token_endpoint: 403,
  databricks_token_refused: 403,
  databricks_permission_denied: 403,
};

/** The refusal for what a token source threw. */
export function sourceRefusal(error: OamError): Refusal {
  return {
    code: error.code,
    status: STATUS_OF_SOURCE_CODE[error.code] ?? UNAVAILABLE,
    sentence: error.sentence,
    ...(error.detail !== undefined && { detail: error.detail }),
  };
}
