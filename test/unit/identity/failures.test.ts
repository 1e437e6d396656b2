import assert from 'node:assert/strict';

import * as library from 'openid-client';

import { OamError } from '../../../src/domain/errors.ts';
import { asIdentityFailure, type Moment } from '../../../src/identity/failures.ts';

function answered(body: Record<string, string>, moment: Moment, status = 400): OamError {
  const response = new Response(JSON.stringify(body), { status });
  const failure = asIdentityFailure(
    library,
    new library.ResponseBodyError('refused', { cause: { error: '', ...body }, response }),
    moment,
  );
  assert(failure instanceof OamError);
  return failure;
}

describe('what an identity provider refuses', () => {
  it('is said to be perhaps the company’s rule where it went by a code', () => {
    for (const error of ['access_denied', 'authorization_declined']) {
      assert.match(answered({ error }, 'device-code').sentence, /your company does not allow/);
      assert.doesNotMatch(answered({ error }, 'sign-in').sentence, /company/);
    }
  });

  it('carries Entra ID’s number of the reason, and nothing else of what it says', () => {
    const description = 'AADSTS53003: Access of ana@example.com has been blocked. Trace ID: 17';
    const refusal = answered({ error: 'access_denied', error_description: description }, 'device-code');
    assert.equal(refusal.detail, 'AADSTS53003');
    assert.doesNotMatch(refusal.message, /ana@|Trace/);
    const ended = answered({ error: 'invalid_grant', error_description: 'AADSTS700082: expired' }, 'refresh');
    assert.equal(ended.code, 'session_expired');
    assert.equal(ended.detail, 'AADSTS700082');
  });

  it('is no lateness of the person where Entra ID’s Conditional Access forbids it, under whatever name', () => {
    const blocked = { error: 'invalid_grant', error_description: 'AADSTS530036: blocked by policy. Trace' };
    const byCode = answered(blocked, 'device-code');
    assert.match(byCode.sentence, /your company does not allow/);
    assert.equal(byCode.detail, 'AADSTS530036');
    const other = { error: 'invalid_grant', error_description: 'AADSTS53003: blocked.' };
    assert.equal(answered(other, 'sign-in').code, 'sign_in_denied');
    assert.equal(answered(other, 'refresh').code, 'session_expired');
    const late = { error: 'invalid_grant', error_description: 'AADSTS70008: The code has expired.' };
    assert.equal(answered(late, 'sign-in').code, 'sign_in_timed_out');
    assert.equal(answered({ error: 'invalid_grant' }, 'device-code').code, 'sign_in_timed_out');
  });

  it('is no word about the session where the provider is only busy', () => {
    assert.equal(answered({ error: 'invalid_grant' }, 'refresh', 503).code, 'identity_provider_unavailable');
    assert.equal(
      answered({ error: 'temporarily_unavailable' }, 'refresh').code,
      'identity_provider_unavailable',
    );
  });
});
