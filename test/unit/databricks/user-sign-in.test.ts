import assert from 'node:assert/strict';

import {
  beginUserSignIn,
  hostTrust,
  refreshUserToken,
  revokeUserToken,
} from '../../../src/databricks/index.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from '../../../src/protocol/transport.ts';

const HOST = 'https://dbc-1.cloud.databricks.com';
const EVIL = 'https://dbc-2.cloud.databricks.com';
const BACK = { redirectUri: 'http://localhost:8020', state: 'the-state' };
const REFRESH = 'doau-the-refresh-token';

/** A workspace that says of itself what a test wants, and answers its forms with one answer. */
function workspace(said: object = {}, answer: Partial<HttpResponse> = {}) {
  const sent: HttpRequest[] = [];
  const transport: HttpTransport = (request) => {
    sent.push(request);
    if (request.method === 'POST')
      return Promise.resolve({ status: 200, headers: {}, text: '{}', ...answer });
    const document = {
      ...{ issuer: `${HOST}/oidc`, authorization_response_iss_parameter_supported: true },
      authorization_endpoint: `${HOST}/oidc/v1/authorize`,
      token_endpoint: `${HOST}/oidc/v1/token`,
      ...said,
    };
    return Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(document) });
  };
  const place = (host = HOST) => ({
    ...{ host, clientId: 'databricks-cli', trust: hostTrust([]), transport },
    clock: { nowMs: () => 1_800_000_000_000 },
  });
  return { sent, place };
}

const answered = (parameters: Record<string, string>): URL => {
  const address = new URL('http://localhost:8020/');
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return address;
};

describe("a person's own sign-in shows itself to the workspace and to nobody else", () => {
  for (const endpoint of ['authorization_endpoint', 'token_endpoint', 'revocation_endpoint']) {
    for (const address of [`${EVIL}/x`, 'http://dbc-1.cloud.databricks.com/x', '/x', 'javascript:alert(1)']) {
      it(`not where the workspace names another ${endpoint}: ${address}`, async () => {
        const { sent, place } = workspace({ [endpoint]: address });
        await assert.rejects(beginUserSignIn(place(), BACK), (error) =>
          hasCode(error, 'untrusted_token_endpoint'),
        );
        await assert.rejects(refreshUserToken(place(), REFRESH), (error) =>
          hasCode(error, 'untrusted_token_endpoint'),
        );
        assert.equal(await revokeUserToken(place(), REFRESH), false);
        assert.ok(sent.every(({ method }) => method === 'GET'));
      });
    }
  }

  it('not at a host that nobody trusts, not even by a question', async () => {
    const { sent, place } = workspace();
    const untrusted = (error: unknown): boolean => hasCode(error, 'untrusted_host');
    await assert.rejects(beginUserSignIn(place('https://databricks.evil.example'), BACK), untrusted);
    await assert.rejects(refreshUserToken(place('https://databricks.evil.example'), REFRESH), untrusted);
    assert.equal(await revokeUserToken(place('https://databricks.evil.example'), REFRESH), false);
    assert.deepEqual(sent, []);
  });

  it('not where the token endpoint redirects to', async () => {
    const { sent, place } = workspace({}, { status: 307, headers: { location: `${EVIL}/oidc/v1/token` } });
    const begun = await beginUserSignIn(place(), BACK);
    const rejected = (error: unknown): boolean => hasCode(error, 'databricks_rejected');
    await assert.rejects(begun.redeem(answered({ code: 'c', iss: `${HOST}/oidc` })), rejected);
    await assert.rejects(refreshUserToken(place(), REFRESH), rejected);
    assert.ok(sent.every(({ url }) => url.startsWith(HOST)));
  });

  it('says no secret of an answer that is none of Databricks', async () => {
    for (const text of [
      '<html>doau-secret</html>',
      '{"access_token":"secret-at"}',
      '{"refresh_token":"doau-secret"}',
    ]) {
      const { place } = workspace({}, { text });
      await assert.rejects(refreshUserToken(place(), REFRESH), (error) => {
        assert.ok(hasCode(error, 'databricks_unexpected_answer'));
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  });

  for (const [status, code, error] of [
    [400, 'databricks_sign_in_ended', 'invalid_grant'],
    [401, 'databricks_token_refused', 'invalid_client'],
    [503, 'databricks_unavailable', 'temporarily_unavailable'],
    [429, 'databricks_throttled', 'invalid_request'],
  ] as const) {
    it(`is over only where the workspace says that the refresh token is: ${status} ${error}`, async () => {
      const text = JSON.stringify({ error, error_description: 'No.' });
      const { place } = workspace({}, { status, text });
      await assert.rejects(refreshUserToken(place(), REFRESH), (thrown) => hasCode(thrown, code));
    });
  }

  it('keeps a refresh token that the workspace does not rotate', async () => {
    const text = JSON.stringify({ access_token: 'at', token_type: 'Bearer', expires_in: 60 });
    const { place } = workspace({}, { text });
    assert.equal((await refreshUserToken(place(), REFRESH)).refreshToken, REFRESH);
  });

  it('repeats no word of the browser that it does not know', async () => {
    const begun = await beginUserSignIn(workspace().place(), BACK);
    const said = {
      error: 'call +1 555 0100',
      error_description: 'Your account is locked',
      iss: `${HOST}/oidc`,
    };
    assert.throws(
      () => begun.redeem(answered(said)),
      (error) => hasCode(error, 'databricks_sign_in_denied') && !/555|locked/.test(error.message),
    );
  });
});
