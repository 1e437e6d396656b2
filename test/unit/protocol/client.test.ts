import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import { ControlPlaneError, createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { HttpRequest, HttpResponse } from '../../../src/protocol/transport.ts';

function clientOver(answer: Partial<HttpResponse>, token: string | undefined = 'access-token') {
  const sent: HttpRequest[] = [];
  const client = createControlPlaneClient({
    baseUrl: 'https://oam.example',
    accessToken: () => Promise.resolve(token),
    transport: (request) => {
      sent.push(request);
      return Promise.resolve({ status: 200, headers: {}, text: '{}', ...answer });
    },
  });
  return { client, sent };
}

const emptyPage = { text: '{"items":[],"nextCursor":null}' };

describe('control-plane client', () => {
  it('sends the token, the parameters and the query of an operation', async () => {
    const { client, sent } = clientOver(emptyPage);
    await client.call('listGrants', { query: { scope: 'team', open: 'true' } });
    assert.equal(sent[0]?.url, 'https://oam.example/api/v1/grants?scope=team&open=true');
    assert.equal(sent[0]?.headers?.['authorization'], 'Bearer access-token');
  });

  it('asks a public operation without a token', async () => {
    const { client, sent } = clientOver({
      text: JSON.stringify({
        product: 'databricks-ml-oam',
        version: '1',
        identity: { issuer: 'i', clientId: 'c', audience: 'a', scopes: [] },
        workspaces: [],
      }),
    });
    await client.call('getConfiguration');
    assert.equal(sent[0]?.headers?.['authorization'], undefined);
  });

  it('encodes an id, so that it cannot reach into another path', async () => {
    const { client, sent } = clientOver({ status: 404, text: '{}' });
    await assert.rejects(client.call('getGrant', { params: { id: '../audit?x' } }));
    assert.equal(sent[0]?.url, 'https://oam.example/api/v1/grants/..%2Faudit%3Fx');
  });

  it('gives every POST an idempotency key, and the version that was seen', async () => {
    const { client, sent } = clientOver({ status: 404, text: '{}' });
    await assert.rejects(
      client.call('denyRequest', { params: { id: '1' }, body: { reason: 'no' }, version: 3 }),
    );
    assert.match(sent[0]?.headers?.['idempotency-key'] ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(sent[0]?.headers?.['if-match'], '"3"');
  });

  it('turns a problem into an error with its code and sentence', async () => {
    const problem = {
      type: 'urn:oam:problem:purpose_missing',
      title: 'Purpose missing',
      status: 422,
      detail: 'Say what you need the access for.',
      code: 'purpose_missing',
    };
    const { client } = clientOver({ status: 422, text: JSON.stringify(problem) });
    await assert.rejects(client.call('listRoles'), (error) => {
      assert.ok(error instanceof ControlPlaneError);
      assert.equal(error.code, 'purpose_missing');
      assert.equal(error.sentence, 'Say what you need the access for.');
      return true;
    });
  });

  for (const [what, answer] of Object.entries({
    HTML: { text: '<html>' },
    'JSON of another shape': { text: '{"items":"no"}' },
    'an error that is no problem document': { status: 500, text: '{"error":"failed"}' },
  })) {
    it(`says that this is no control plane when it answers with ${what}`, async () => {
      const { client } = clientOver(answer);
      await assert.rejects(client.call('listRoles'), (error) => hasCode(error, 'not_the_control_plane'));
    });
  }

  it('is away where a proxy or a load balancer says so, in whatever form', async () => {
    for (const status of [502, 503, 504]) {
      for (const text of ['<html>Bad Gateway</html>', '', '{"error":"bad gateway"}']) {
        const { client } = clientOver({ status, text });
        await assert.rejects(client.call('listRoles'), (error) => hasCode(error, 'unreachable'));
      }
    }
  });
});
