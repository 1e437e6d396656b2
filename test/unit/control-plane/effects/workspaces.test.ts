import assert from 'node:assert/strict';

import { createWorkspaces } from '../../../../src/control-plane/effects/workspaces.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import type { HttpRequest, HttpResponse } from '../../../../src/protocol/transport.ts';

const HOST = 'https://w.cloud.databricks.com';
const GROUP = JSON.stringify({ id: '9101', displayName: 'oam-jit' });

/** A workspace that hands out `token-1`, `token-2`, … and accepts only what `accepts` says. */
function workspaceThatAccepts(accepts: (token: string) => boolean) {
  const calls: string[] = [];
  let issued = 0;
  const transport = (request: HttpRequest): Promise<HttpResponse> => {
    const answer = (status: number, text: string): Promise<HttpResponse> =>
      Promise.resolve({ status, headers: {}, text });
    if (request.url.includes('.well-known')) {
      return answer(200, JSON.stringify({ token_endpoint: `${HOST}/oidc/v1/token` }));
    }
    if (request.url.endsWith('/oidc/v1/token')) {
      issued += 1;
      return answer(
        200,
        JSON.stringify({ access_token: `token-${issued}`, token_type: 'Bearer', expires_in: 3_600 }),
      );
    }
    const token = (request.headers?.['authorization'] ?? '').replace('Bearer ', '');
    calls.push(token);
    return accepts(token)
      ? answer(200, GROUP)
      : answer(401, JSON.stringify({ error_code: 401, message: 'Unauthenticated' }));
  };
  const workspaces = createWorkspaces({
    clientId: 'core',
    clientSecret: 'a-secret',
    transport,
    redactor: createRedactor(),
  });
  return { client: workspaces.at(HOST), calls, issued: () => issued };
}

describe("OAM's own token in a workspace", () => {
  it('is dropped where Databricks refuses it, and the call is made once more with a new one', async () => {
    const { client, calls, issued } = workspaceThatAccepts((token) => token !== 'token-1');
    assert.equal((await client.group('9101')).id, '9101');
    await client.group('9101');
    assert.deepEqual(calls, ['token-1', 'token-2', 'token-2']);
    assert.equal(issued(), 2);
  });

  it('is dropped once, however many calls it was refused to', async () => {
    const { client, calls, issued } = workspaceThatAccepts((token) => token !== 'token-1');
    await Promise.all([client.group('9101'), client.group('9101'), client.group('9101')]);
    assert.equal(issued(), 2);
    assert.equal(calls.filter((token) => token === 'token-2').length, 3);
  });

  it('is not fetched again and again where Databricks refuses the new one too', async () => {
    const { client, calls } = workspaceThatAccepts(() => false);
    await assert.rejects(client.group('9101'), (error) => hasCode(error, 'databricks_unauthenticated'));
    assert.deepEqual(calls, ['token-1', 'token-2']);
  });
});
