import type { BrokerCode } from '../../broker/index.ts';
import { OamError } from '../../domain/errors.ts';
import { ControlPlaneError } from '../../protocol/client.ts';
import type { Localise } from '../localise.ts';

/** What a person can do about an error with one click. */
export type Remedy =
  | 'signIn'
  | 'signInAgain'
  | 'signInToDatabricks'
  | 'retry'
  | 'openSettings'
  | 'trustHosts'
  | 'requestAccess'
  | 'useInFolder'
  | 'openTerminal'
  | 'whoAmI'
  | 'diagnose'
  | 'showLog';

/** An error as a person is told it. */
export interface ErrorWords {
  /** A sentence that ends with the next step, then the variable part. */
  readonly message: string;
  readonly remedy: Remedy;
}

/** What the button for it says. */
export function remedyWords(l10n: Localise, remedy: Remedy): string {
  switch (remedy) {
    case 'signIn':
    case 'signInAgain':
      return l10n.t('Sign In');
    case 'signInToDatabricks':
      return l10n.t('Sign In to Databricks');
    case 'retry':
      return l10n.t('Try Again');
    case 'openSettings':
    case 'trustHosts':
      return l10n.t('Open Settings');
    case 'requestAccess':
      return l10n.t('Request Access');
    case 'useInFolder':
      return l10n.t('Use in This Folder');
    case 'openTerminal':
      return l10n.t('New Terminal');
    case 'whoAmI':
      return l10n.t('Who Am I Here?');
    case 'diagnose':
      return l10n.t('Diagnose');
    case 'showLog':
      return l10n.t('Show Log');
  }
}

/**
 * For every reason for which a program gets no token. Where the program itself is to be mended, its author needs the log.
 */
const BROKER_REMEDIES: Readonly<Record<BrokerCode, Remedy>> = {
  grant_ended: 'requestAccess',
  signed_out: 'signIn',
  principal_changed: 'openTerminal',
  closed: 'useInFolder',
  unknown_path: 'openTerminal',
  other_workspace: 'whoAmI',
  peer_unknown: 'diagnose',
  token_slow: 'diagnose',
  token_timed_out: 'diagnose',
  token_too_short: 'signIn',
  token_failed: 'showLog',
  internal: 'showLog',
  other_user: 'showLog',
  from_a_web_page: 'showLog',
  wrong_host_header: 'showLog',
  http_version: 'showLog',
  host_header_missing: 'showLog',
  method: 'showLog',
  address_too_long: 'showLog',
  headers_too_long: 'showLog',
  request_too_slow: 'showLog',
  not_http: 'showLog',
  body: 'showLog',
  protocol_version: 'showLog',
  workspace_missing: 'showLog',
};

const REMEDIES: Readonly<Record<string, Remedy>> = {
  ...BROKER_REMEDIES,
  grant_not_active: 'requestAccess',
  role_needs_person: 'requestAccess',
  port_of_another_user: 'openTerminal',
  no_grant: 'requestAccess',
  // Only an administrator can mend it, and the report tells them what is missing.
  role_needs_exchange: 'diagnose',
  databricks_person_unknown: 'diagnose',
  groups_overflowed: 'diagnose',
  databricks_permission_denied: 'requestAccess',
  identity_provider_refused: 'signIn',
  not_signed_in: 'signIn',
  session_unreadable: 'signIn',
  session_not_kept: 'signIn',
  session_locked: 'retry',
  session_expired: 'signIn',
  session_over_limit: 'signIn',
  sign_in_again: 'signIn',
  wrong_issuer: 'signIn',
  wrong_audience: 'signIn',
  wrong_token_kind: 'signIn',
  databricks_unauthenticated: 'signIn',
  databricks_sign_in_needed: 'signInAgain',
  databricks_token_refused: 'signIn',
  databricks_own_sign_in_needed: 'signInToDatabricks',
  databricks_sign_in_ended: 'signInToDatabricks',
  databricks_sign_in_refused: 'signInToDatabricks',
  databricks_sign_in_denied: 'signInToDatabricks',
  databricks_sign_in_mixed_up: 'signInToDatabricks',
  databricks_other_person: 'signInToDatabricks',
  sign_in_denied: 'signIn',
  sign_in_timed_out: 'signIn',
  state_mismatch: 'signIn',
  clock_off: 'diagnose',
  unreachable: 'retry',
  timed_out: 'retry',
  identity_provider_unavailable: 'retry',
  databricks_unavailable: 'retry',
  databricks_unexpected_answer: 'retry',
  temporarily_unavailable: 'retry',
  databricks_throttled: 'retry',
  store_unavailable: 'retry',
  audit_unavailable: 'retry',
  too_many_requests: 'retry',
  precondition_failed: 'retry',
  bad_control_plane_url: 'openSettings',
  not_configured: 'openSettings',
  not_the_control_plane: 'openSettings',
  untrusted_host: 'trustHosts',
};

/**
 * The words for an error. Sentences of the lower rooms are keys of the message bundle themselves, so they are
 * translated here, where they are shown. What is no error of ours is a defect: the log has the rest.
 */
export function errorWords(l10n: Localise, error: unknown): ErrorWords {
  if (error instanceof ControlPlaneError) {
    const explanation = (error.problem.explanation ?? []).filter((line) => !error.sentence.includes(line));
    return {
      message: [l10n.t(error.sentence), ...explanation].join(' '),
      remedy: REMEDIES[error.code] ?? 'showLog',
    };
  }
  if (error instanceof OamError) {
    const tail = error.detail === undefined ? '' : ` (${error.detail})`;
    return { message: l10n.t(error.sentence) + tail, remedy: REMEDIES[error.code] ?? 'showLog' };
  }
  return {
    message: l10n.t('Something went wrong inside the extension. The log has the details; try again.'),
    remedy: 'showLog',
  };
}
