import assert from 'node:assert/strict';

import { roleTokenSource, type RoleTokenOptions } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import type { PrincipalKey } from '../../../src/domain/principal.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from '../../../src/protocol/transport.ts';

const HOST = 'https://ml-prod.cloud.databricks.com';

const NOW_MS = Date.UTC(2027, 0, 15, 8);

const json = (status: number, body: object): Promise<HttpResponse> =>
  Promise.resolve({ status, headers: {}, text: JSON.stringify(body) });

const GRANT = {
  ...{ id: 'g1', version: 3, requestId: 'r1', endReason: null, purpose: 'Score', minutes: 10 },
  principal: { iss: 'https://idp.example', sub: 'ana', userName: 'ana@example.com', displayName: 'Ana' },
  role: {
    ...{ id: 'deployer', title: 'Deploy', credential: 'pat' },
    workspace: { name: 'ml-prod', host: HOST },
  },
  ...{ createdAt: new Date(NOW_MS).toISOString(), startsAt: null, activatedAt: null, heldSince: null },
  ...{
    membershipPresentAt: null,
    membershipAbsentAt: null,
    outlives: null,
    trouble: null,
    removingSince: null,
    revocation: null,
    review: null,
  },
  ...{ chainId: 'g1', extends: null, successor: null },
};

function jwtOf(claims: object): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

describe("broker: an assumed role's tokens", () => {
  const ana = { iss: 'https://idp.example', sub: 'ana' };

  function sourceWith(
    changes: { host?: string; signedIn?: PrincipalKey; person?: false; livesSeconds?: number } = {},
  ) {
    const forms: URLSearchParams[] = [];
    const redactor = createRedactor();
    const workspace: HttpTransport = (request: HttpRequest) => {
      if (request.method === 'GET') return json(200, { token_endpoint: `${HOST}/oidc/v1/token` });
      forms.push(new URLSearchParams(request.body));
      return json(200, {
        access_token: `assumed-${forms.length}`,
        token_type: 'Bearer',
        expires_in: changes.livesSeconds ?? 3_600,
      });
    };
    const client = createControlPlaneClient({
      baseUrl: 'https://oam.example',
      accessToken: () => Promise.resolve('access'),
      transport: () =>
        json(200, {
          ...{ kind: 'assumption', leaseId: 'l1', grantId: 'g1', host: changes.host ?? HOST },
          ...{ assumeGroup: '9101', expiresAt: new Date(NOW_MS + 600_000).toISOString() },
        }),
    });
    const person: RoleTokenOptions['person'] = {
      host: HOST,
      session: {
        subjectToken: () =>
          Promise.resolve({
            token: jwtOf(changes.signedIn ?? ana),
            expiresAtMs: NOW_MS + 300_000,
            principal: changes.signedIn ?? ana,
          }),
      },
      trust: hostTrust([]),
      transport: workspace,
      clock: { nowMs: () => NOW_MS },
      redactor,
      principal: ana,
    };
    const source = roleTokenSource({
      ...{ grantId: 'g1', client, redactor },
      ...(changes.person !== false && { person }),
    });
    return { source, forms, redactor };
  }

  it("are asked for with the person's own sign-in and the group, and end with the grant", async () => {
    const { source, forms, redactor } = sourceWith();
    assert.deepEqual(await source.token(), { accessToken: 'assumed-1', expiresAtMs: NOW_MS + 600_000 });
    assert.equal(forms[0]?.get('assume_group'), '9101');
    assert.equal(forms[0].get('subject_token'), jwtOf(ana));
    assert.equal(forms[0].has('client_id'), false);
    assert.ok(!redactor.redact('assumed-1').includes('assumed-1'));
  });

  it('end with the sign-in where that is sooner', async () => {
    const { source } = sourceWith({ livesSeconds: 60 });
    assert.equal((await source.token()).expiresAtMs, NOW_MS + 60_000);
  });

  it('are not asked for in the name of somebody else', async () => {
    const { source, forms } = sourceWith({ signedIn: { ...ana, sub: 'omar' } });
    await assert.rejects(source.token(), (error) => hasCode(error, 'principal_changed'));
    assert.deepEqual(forms, []);
  });

  it('are not asked for at another workspace than that of the path', async () => {
    const { source, forms } = sourceWith({ host: 'https://other.cloud.databricks.com' });
    await assert.rejects(source.token(), (error) => hasCode(error, 'wrong_grant'));
    assert.deepEqual(forms, []);
  });

  it('are not to be had where nobody is signed in', async () => {
    const { source } = sourceWith({ person: false });
    await assert.rejects(source.token(), (error) => hasCode(error, 'role_needs_person'));
  });
});

describe("broker: a role's personal access token", () => {
  function sourceWith() {
    const grant = { endsAt: new Date(NOW_MS + 600_000).toISOString(), state: 'active' };
    const keys: (string | undefined)[] = [];
    const client = createControlPlaneClient({
      baseUrl: 'https://oam.example',
      accessToken: () => Promise.resolve('access'),
      transport: (request) => {
        if (request.method === 'GET') return json(200, { ...GRANT, ...grant });
        keys.push(request.headers?.['idempotency-key']);
        return json(200, {
          ...{ kind: 'personal_token', leaseId: 'l1', grantId: 'g1', host: HOST, expiresAt: grant.endsAt },
          ...{ accessToken: `personal-${keys.length}`, tokenType: 'Bearer', warning: 'Keep it.' },
        });
      },
    });
    const redactor = createRedactor();
    return { source: roleTokenSource({ grantId: 'g1', client, redactor }), keys, grant, redactor };
  }

  it('is asked for once: another one would live no longer, and end the one that programs use', async () => {
    const { source, keys, redactor } = sourceWith();
    const first = await source.token();
    assert.deepEqual(first, { accessToken: 'personal-1', expiresAtMs: NOW_MS + 600_000 });
    assert.deepEqual(await source.token(), first);
    assert.equal(keys.length, 1);
    assert.ok(!redactor.redact('personal-1').includes('personal-1'));
  });

  it('is followed by another under a lease of its own where the access lasts longer by now', async () => {
    const { source, keys, grant } = sourceWith();
    await source.token();
    grant.endsAt = new Date(NOW_MS + 1_200_000).toISOString();
    assert.equal((await source.token()).accessToken, 'personal-2');
    assert.notEqual(keys[0], keys[1]);
  });

  it('is not to be had any more once the access is over', async () => {
    const { source, grant } = sourceWith();
    await source.token();
    grant.state = 'revoking';
    await assert.rejects(source.token(), (error) => hasCode(error, 'grant_ended'));
  });
});
