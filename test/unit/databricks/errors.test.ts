import assert from 'node:assert/strict';

import fc from 'fast-check';

import { DatabricksError, readRefusal } from '../../../src/databricks/errors.ts';
import type { HttpResponse } from '../../../src/protocol/transport.ts';

function errorOf(status: number, body: unknown, headers: Record<string, string> = {}): DatabricksError {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new DatabricksError(readRefusal({ status, headers, text }));
}

const PATCH_NOT_PARSED = 'Request is unparsable, syntactically incorrect, or violates schema.';

describe('refusals of Databricks', () => {
  it('are read in the form of the API, with the id of the request', () => {
    const error = errorOf(403, {
      error_code: 'PERMISSION_DENIED',
      message: 'You may not.',
      details: [{ '@type': 'type.googleapis.com/google.rpc.RequestInfo', request_id: 'r-1' }],
    });
    assert.equal(error.code, 'databricks_permission_denied');
    assert.equal(error.errorCode, 'PERMISSION_DENIED');
    assert.equal(error.requestId, 'r-1');
    assert.match(error.message, /PERMISSION_DENIED: You may not\.$/);
  });

  it('are read in the form of API 1.2, of SCIM, of OAuth, as plain text and as HTML', () => {
    assert.match(errorOf(400, { error: 'ancient words' }).message, /ancient words$/);
    const scim = errorOf(400, {
      schemas: [],
      detail: PATCH_NOT_PARSED,
      status: '400',
      scimType: 'invalidSyntax',
    });
    assert.equal(scim.errorCode, 'SCIM_400');
    assert.match(scim.message, /invalidSyntax Request is unparsable/);
    assert.equal(
      errorOf(404, { detail: 'Group with id 1 not found.', status: '404' }).code,
      'databricks_not_found',
    );
    const oauth = errorOf(400, { error: 'invalid_grant', error_description: 'No policy.' });
    assert.equal(oauth.errorCode, 'invalid_grant');
    assert.equal(oauth.code, 'databricks_token_refused');
    assert.equal(errorOf(400, 'INVALID_STATE: Cluster c is gone').errorCode, 'INVALID_STATE');
    assert.match(errorOf(502, '<html><pre>Bad gateway here</pre></html>').message, /Bad gateway here$/);
  });

  const meanings: readonly [string, number, unknown, string][] = [
    ['401', 401, { error_code: 401, message: 'Credential was not sent' }, 'databricks_unauthenticated'],
    [
      '403 of an ended token',
      403,
      { error_code: 403, message: 'Invalid access token. [ReqId: x]' },
      'databricks_unauthenticated',
    ],
    [
      '403 of an ended OAuth token',
      403,
      { error_code: 403, message: 'Invalid Token' },
      'databricks_unauthenticated',
    ],
    ['404', 404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'x' }, 'databricks_not_found'],
    [
      '400 of a missing cluster',
      400,
      { error_code: 'INVALID_PARAMETER_VALUE', message: 'Cluster c does not exist' },
      'databricks_not_found',
    ],
    [
      '400 of a missing run',
      400,
      { error_code: 'INVALID_PARAMETER_VALUE', message: "Run: 1 in job: 2 doesn't exist" },
      'databricks_not_found',
    ],
    [
      '400 of a purged cluster',
      400,
      { error_code: 'INVALID_STATE', message: 'Cannot access cluster c' },
      'databricks_not_found',
    ],
    [
      '400 of a bad value',
      400,
      { error_code: 'INVALID_PARAMETER_VALUE', message: 'max_results' },
      'databricks_rejected',
    ],
    ['409', 409, { error_code: 'RESOURCE_CONFLICT', message: 'x' }, 'databricks_conflict'],
    ['429', 429, { error_code: 'REQUEST_LIMIT_EXCEEDED', message: 'x' }, 'databricks_throttled'],
    [
      '400 of a throttled token endpoint',
      400,
      { error: 'invalid_request', error_description: 'Temporarily throttled, too many requests' },
      'databricks_throttled',
    ],
    ['503', 503, '', 'databricks_unavailable'],
  ];
  for (const [what, status, body, code] of meanings) {
    it(`mean ${code}: ${what}`, () => {
      assert.equal(errorOf(status, body).code, code);
    });
  }

  it('mean a private link when they come as a redirect to the login page', () => {
    const error = errorOf(302, '', { location: '/login.html?error=private-link-validation-error' });
    assert.equal(error.code, 'databricks_private_link');
    assert.equal(error.status, 403);
  });

  it('say how long to wait, in whole seconds only', () => {
    assert.equal(errorOf(429, {}, { 'retry-after': '7' }).retryAfterSeconds, 7);
    assert.equal(
      errorOf(429, {}, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }).retryAfterSeconds,
      undefined,
    );
  });

  it('are read whatever they are', () => {
    const anything = fc.record({
      status: fc.integer({ min: 300, max: 599 }),
      text: fc.oneof(
        fc.string(),
        fc.json(),
        fc
          .record({ message: fc.string({ maxLength: 5_000, size: 'max' }) })
          .map((body) => JSON.stringify(body)),
      ),
      headers: fc.dictionary(fc.constantFrom('retry-after', 'location', 'x-request-id'), fc.string()),
    });
    fc.assert(
      fc.property(anything, (answer: HttpResponse) => {
        const error = new DatabricksError(readRefusal(answer));
        assert.match(error.code, /^databricks_[a-z_]+$/);
        assert.ok(error.message.length < 1_000);
      }),
    );
  });
});
