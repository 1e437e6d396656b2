import assert from 'node:assert/strict';

import { collectTexts } from '../../../build/l10n.ts';
import { BROKER_CODES, PATH_ENDS, type Refusal } from '../../../src/broker/index.ts';
import { UNKNOWN_PATH } from '../../../src/broker/admission.ts';
import { endedRefusal, isPathEnd, sourceRefusal } from '../../../src/broker/refusal.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { errorWords, type Remedy } from '../../../src/extension/commands/error-words.ts';
import { tellNowAndThen } from '../../../src/extension/commands/tell-now-and-then.ts';
import { english } from './localise.ts';

/** As the editor tells of a refusal. */
function told({ code, sentence, detail }: Refusal): { message: string; remedy: Remedy } {
  return errorWords(english, new OamError(code, sentence, detail === undefined ? {} : { detail }));
}

/** What the sources of tokens throw, and what mends it. */
const SOURCE_CODES: Readonly<Record<string, Remedy>> = {
  not_signed_in: 'signIn',
  session_expired: 'signIn',
  session_over_limit: 'signIn',
  session_unreadable: 'signIn',
  session_locked: 'retry',
  databricks_sign_in_needed: 'signInAgain',
  databricks_own_sign_in_needed: 'signInToDatabricks',
  databricks_sign_in_ended: 'signInToDatabricks',
  databricks_token_refused: 'signIn',
  databricks_unauthenticated: 'signIn',
  databricks_permission_denied: 'requestAccess',
  databricks_throttled: 'retry',
  databricks_unavailable: 'retry',
  identity_provider_refused: 'signIn',
  identity_provider_unavailable: 'retry',
  wrong_audience: 'signIn',
  wrong_issuer: 'signIn',
  wrong_token_kind: 'signIn',
  untrusted_host: 'trustHosts',
  grant_not_active: 'requestAccess',
  role_needs_person: 'requestAccess',
  role_needs_exchange: 'diagnose',
  store_unavailable: 'retry',
  too_many_requests: 'retry',
  timed_out: 'retry',
  unreachable: 'retry',
  not_the_control_plane: 'openSettings',
  // Nobody but the authors, of OAM or of who answers in its place, can mend these.
  untrusted_token_endpoint: 'showLog',
  workspace_not_agreed: 'showLog',
  wrong_grant: 'showLog',
};

/** The program is what is to be mended, or it is an attack: both are for whoever reads the log. */
const FOR_THE_LOG = new Set([
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
  'protocol_version',
  'workspace_missing',
  'other_user',
  'token_failed',
  'internal',
]);

describe('why a program got no token', () => {
  it('has an action for every reason of the broker that a person can mend', () => {
    for (const code of BROKER_CODES) {
      const { remedy } = told({ code, status: 403, sentence: 'Why.' });
      assert.equal(remedy === 'showLog', FOR_THE_LOG.has(code), code);
    }
    assert.deepEqual(
      [...FOR_THE_LOG].filter((code) => !BROKER_CODES.some((known) => known === code)),
      [],
    );
  });

  it('leads out of each end of a path, and out of an old pointer', () => {
    const remedies = Object.keys(PATH_ENDS).map((end) => {
      assert(isPathEnd(end));
      return [end, told(endedRefusal(end)).remedy];
    });
    assert.deepEqual(Object.fromEntries(remedies), {
      grant_ended: 'requestAccess',
      signed_out: 'signIn',
      principal_changed: 'openTerminal',
      closed: 'useInFolder',
    });
    assert.equal(told(UNKNOWN_PATH).remedy, 'openTerminal');
  });

  it('has an action for what the sources of tokens say', () => {
    for (const [code, remedy] of Object.entries(SOURCE_CODES)) {
      assert.equal(told(sourceRefusal(new OamError(code, 'Why.'))).remedy, remedy, code);
    }
  });

  it('ends with what differs, and can be translated, every sentence of it', () => {
    const refusal: Refusal = {
      code: 'other_workspace',
      status: 403,
      sentence: 'Another.',
      detail: 'here is x',
    };
    assert.equal(told(refusal).message, 'Another. (here is x)');
    const { texts, unreadable } = collectTexts();
    assert.deepEqual(unreadable, []);
    assert.equal(texts[UNKNOWN_PATH.sentence], UNKNOWN_PATH.sentence);
  });

  it('is told once while it goes on, again after an hour, and after some quiet', () => {
    let nowMs = 0;
    const log: string[] = [];
    const tell = tellNowAndThen({ nowMs: () => nowMs }, ({ code }) => log.push(`${code}@${nowMs / 60_000}`));
    // A program that asks every minute for two hours; another reason in between.
    for (let minute = 0; minute < 125; minute += 1) {
      nowMs = minute * 60_000;
      tell(new OamError('session_expired', 'Ended.'));
      if (minute === 30) tell(new OamError('untrusted_host', 'No.'));
    }
    assert.deepEqual(log, [
      'session_expired@0',
      'untrusted_host@30',
      'session_expired@60',
      'session_expired@120',
    ]);
    nowMs += 5 * 60_000;
    tell(new OamError('session_expired', 'Ended.'));
    assert.equal(log.at(-1), 'session_expired@129');
  });
});
