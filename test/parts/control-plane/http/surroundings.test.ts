import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import * as z from 'zod/mini';

import { PRODUCT_VERSION } from '../../../../src/control-plane/version.ts';
import { endpoints } from '../../../../src/protocol/endpoints.ts';
import { startWorld, type World } from '../world.ts';

const Document = z.looseObject({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
});

describe('beside the API', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const get = async (path: string): Promise<string> => {
    const answer = await world.http({ method: 'GET', path });
    assert.equal(answer.status, 200, path);
    return answer.text;
  };

  it('are health, readiness and metrics', async () => {
    await get('/healthz');
    await get('/readyz');
    const metrics = await get('/metrics');
    assert.match(metrics, /^oam_grants_revoke_stuck 0$/m);
    assert.match(metrics, /^oam_revocation_overdue_seconds 0$/m);
  });

  it('is a description of every operation that the server has', async () => {
    const document = Document.parse(JSON.parse(await get('/api/v1/openapi.json')));
    assert.match(document.openapi, /^3\.1\./);
    for (const [id, endpoint] of Object.entries(endpoints)) {
      const operation = z
        .looseObject({ operationId: z.string() })
        .parse(document.paths[endpoint.path]?.[endpoint.method.toLowerCase()]);
      assert.equal(operation.operationId, id);
    }
  });

  it('are the documents of the issuer, with no private part of its key', async () => {
    const discovery = z
      .looseObject({ issuer: z.string(), jwks_uri: z.string() })
      .parse(JSON.parse(await get('/.well-known/openid-configuration')));
    assert.equal(discovery.issuer, world.url);
    const jwks = z
      .object({ keys: z.array(z.record(z.string(), z.unknown())) })
      .parse(JSON.parse(await get(new URL(discovery.jwks_uri).pathname)));
    assert.equal(jwks.keys.length, 1);
    for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi']) assert.equal(jwks.keys[0]?.[name], undefined);
  });

  it('is a configuration that needs no sign-in and holds no secret', async () => {
    const text = await get('/api/v1/configuration');
    assert.doesNotMatch(text, new RegExp(world.databricks.coreCredentials.secret));
    assert.match(text, /ml-prod/);
  });

  it('is the version of package.json', async () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile('package.json', 'utf8')));
    assert.equal(PRODUCT_VERSION, version);
  });
});
