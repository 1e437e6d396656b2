import assert from 'node:assert/strict';

import { exchangeSubjectToken, hostTrust, requestClientCredentials } from '../../../src/databricks/index.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import type { HttpRequest, HttpResponse } from '../../../src/protocol/transport.ts';

const HOST = 'https://dbc-1.cloud.databricks.com';
const NOW_MS = 1_800_000_000_000;
const clock = { nowMs: () => NOW_MS };
const granted = { access_token: 'at', token_type: 'Bearer', expires_in: 300, scope: 'all-apis' };

/** A workspace that names a token endpoint and answers there. */
function workspace(tokenEndpoint = `${HOST}/oidc/v1/token`, answer: Partial<HttpResponse> = {}) {
  const sent: HttpRequest[] = [];
  const transport = (request: HttpRequest): Promise<HttpResponse> => {
    sent.push(request);
    return Promise.resolve(
      request.method === 'GET'
        ? { status: 200, headers: {}, text: JSON.stringify({ token_endpoint: tokenEndpoint }) }
        : { status: 200, headers: {}, text: JSON.stringify(granted), ...answer },
    );
  };
  return { sent, transport };
}

describe('tokens of Databricks', () => {
  const exchange = (transport: ReturnType<typeof workspace>['transport'], clientId?: string) =>
    exchangeSubjectToken({
      host: `${HOST}/`,
      subjectToken: 'subject-jwt',
      ...(clientId !== undefined && { clientId }),
      trust: hostTrust([]),
      transport,
      clock,
    });

  it('are asked for as RFC 8693 has it, and counted from before the request', async () => {
    const { sent, transport } = workspace();
    assert.deepEqual(await exchange(transport), { accessToken: 'at', expiresAtMs: NOW_MS + 300_000 });
    assert.equal(sent[1]?.url, `${HOST}/oidc/v1/token`);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(sent[1].body)), {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'subject-jwt',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      scope: 'all-apis',
    });
  });

  it('carry the client id for a service principal’s policy only', async () => {
    const { sent, transport } = workspace();
    await exchange(transport, 'app-1');
    assert.equal(new URLSearchParams(sent[1]?.body).get('client_id'), 'app-1');
  });

  for (const endpoint of [
    'https://evil.example/oidc/v1/token',
    `https://dbc-2.cloud.databricks.com/oidc/v1/token`,
    `http://dbc-1.cloud.databricks.com/oidc/v1/token`,
    '/oidc/v1/token',
  ]) {
    it(`are not asked for at an endpoint of another origin: ${endpoint}`, async () => {
      const { sent, transport } = workspace(endpoint);
      await assert.rejects(exchange(transport), (error) => hasCode(error, 'untrusted_token_endpoint'));
      assert.ok(sent.every((request) => !request.body?.includes('subject-jwt')));
    });
  }

  it('are not followed through a redirect', async () => {
    const { sent, transport } = workspace(undefined, {
      status: 307,
      headers: { location: 'https://evil.example/' },
      text: '',
    });
    await assert.rejects(exchange(transport), (error) => hasCode(error, 'databricks_rejected'));
    assert.equal(sent.length, 2);
  });

  for (const [what, text] of Object.entries({
    'no JSON': '<html>at</html>',
    'no expiry': JSON.stringify({ access_token: 'secret-at', token_type: 'Bearer' }),
    'another type': JSON.stringify({ ...granted, access_token: 'secret-at', token_type: 'mac' }),
  })) {
    it(`are not taken from an answer with ${what}, and the answer is not quoted`, async () => {
      const { transport } = workspace(undefined, { text });
      await assert.rejects(exchange(transport), (error) => {
        assert.ok(hasCode(error, 'databricks_unexpected_answer'));
        assert.doesNotMatch(error.message, /secret-at/);
        return true;
      });
    });
  }

  it('are given to a service principal for its secret, sent as Basic and not in the body', async () => {
    const { sent, transport } = workspace();
    await requestClientCredentials({ host: HOST, clientId: 'app', clientSecret: 'dose1', transport, clock });
    assert.equal(sent[1]?.headers?.['authorization'], `Basic ${Buffer.from('app:dose1').toString('base64')}`);
    assert.doesNotMatch(sent[1].body ?? '', /dose1/);
  });
});
