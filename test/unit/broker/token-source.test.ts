import assert from 'node:assert/strict';

import { personTokenSource, roleTokenSource } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import { hasCode, OamError } from '../../../src/domain/errors.ts';
import type { GrantState } from '../../../src/domain/lifecycle.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { ProblemCode } from '../../../src/protocol/problem.ts';
import type { HttpRequest, HttpTransport } from '../../../src/protocol/transport.ts';
import { grantView } from '../cli/fake-control-plane.ts';
import { HOST, standingClock } from './broker-harness.ts';

const jwtOf = (claims: object) =>
  `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;

const json = (status: number, body: object) =>
  Promise.resolve({ status, headers: {}, text: JSON.stringify(body) });

describe("broker: a person's tokens", () => {
  const clock = standingClock();
  const [ana, omar] = ['ana', 'omar'];

  function sourceWith(subjects: string[], host = HOST, principal?: { iss: string; sub: string }) {
    const sent: HttpRequest[] = [];
    const redactor = createRedactor();
    let call = 0;
    const transport: HttpTransport = (request) => {
      sent.push(request);
      return request.method === 'GET'
        ? json(200, { token_endpoint: `${HOST}/oidc/v1/token` })
        : json(200, { access_token: `databricks-token-${call}`, token_type: 'Bearer', expires_in: 300 });
    };
    const source = personTokenSource({
      host,
      session: {
        subjectToken() {
          const sub = subjects[Math.min(call, subjects.length - 1)] ?? '';
          call += 1;
          const principal = { iss: 'https://idp.example', sub };
          return Promise.resolve({
            token: jwtOf({ sub: `pairwise-${sub}` }),
            expiresAtMs: clock.nowMs() + 300_000,
            principal,
          });
        },
      },
      trust: hostTrust([]),
      transport,
      clock,
      redactor,
      ...(principal && { principal }),
    });
    return { source, sent, redactor };
  }

  it("come from the workspace for the person's ID token, with their real end, and are masked", async () => {
    const { source, sent, redactor } = sourceWith([ana]);
    assert.deepEqual(await source.token(), {
      accessToken: 'databricks-token-1',
      expiresAtMs: clock.nowMs() + 300_000,
    });
    assert.equal(new URLSearchParams(sent[1]?.body).get('subject_token'), jwtOf({ sub: 'pairwise-ana' }));
    assert.ok(!redactor.redact('a databricks-token-1 b').includes('databricks-token-1'));
  });

  it('stay those of the first person', async () => {
    const { source, sent } = sourceWith([ana, ana, omar]);
    await source.token();
    await source.token();
    const before = sent.length;
    await assert.rejects(source.token(), (error) => hasCode(error, 'principal_changed'));
    assert.equal(sent.length, before);
  });

  it('stay those of the person who was named, from the first one on', async () => {
    const { source, sent } = sourceWith([omar], HOST, { iss: 'https://idp.example', sub: 'ana' });
    await assert.rejects(source.token(), (error) => hasCode(error, 'principal_changed'));
    assert.deepEqual(sent, []);
  });

  it('are not asked for at a host that nobody trusts', async () => {
    const { source, sent } = sourceWith([ana], 'https://databricks.evil.example');
    await assert.rejects(source.token(), (error) => hasCode(error, 'untrusted_host'));
    assert.deepEqual(sent, []);
  });
});

describe("broker: a role's tokens", () => {
  function sourceWith(refusal: ProblemCode | undefined, state: GrantState = 'active', grantId = 'g1') {
    const sent: string[] = [];
    const keys = new Set<string | undefined>();
    const redactor = createRedactor();
    const person = { iss: 'i', sub: 's', userName: 'u', displayName: 'd' };
    const transport: HttpTransport = (request) => {
      sent.push(`${request.method} ${new URL(request.url).pathname}`);
      if (request.method === 'GET') {
        return json(200, grantView({ id: grantId, state, principal: person }));
      }
      keys.add(request.headers?.['idempotency-key']);
      if (refusal !== undefined) {
        return json(409, {
          type: `urn:oam:problem:${refusal}`,
          title: refusal,
          status: 409,
          detail: 'No.',
          code: refusal,
        });
      }
      return json(200, {
        ...{
          kind: 'bearer',
          leaseId: 'l1',
          grantId,
          host: HOST,
          accessToken: 'role-token-1',
          tokenType: 'Bearer',
        },
        expiresAt: '2027-01-15T08:15:00.000Z',
      });
    };
    const client = createControlPlaneClient({
      baseUrl: 'https://oam.example',
      accessToken: () => Promise.resolve('access'),
      transport,
    });
    return { source: roleTokenSource({ grantId: 'g1', client, redactor }), sent, keys, redactor };
  }

  it('come from the control plane under the grant, and are masked', async () => {
    const { source, sent, redactor } = sourceWith(undefined);
    assert.deepEqual(await source.token(), {
      accessToken: 'role-token-1',
      expiresAtMs: Date.UTC(2027, 0, 15, 8, 15),
    });
    assert.deepEqual(sent, ['POST /api/v1/grants/g1/credential']);
    assert.ok(!redactor.redact('role-token-1').includes('role-token-1'));
  });

  it('are renewals of one lease', async () => {
    const { source, keys } = sourceWith(undefined);
    await source.token();
    await source.token();
    const another = sourceWith(undefined);
    await another.source.token();
    assert.equal(keys.size, 1);
    assert.notDeepEqual(another.keys, keys);
  });

  for (const state of ['revoking', 'revoke_stuck', 'ended', 'failed'] as const) {
    it(`are over for ever once the grant is ${state}`, async () => {
      await assert.rejects(sourceWith('grant_not_active', state).source.token(), (error) =>
        hasCode(error, 'grant_ended'),
      );
    });
  }

  for (const state of ['scheduled', 'provisioning'] as const) {
    it(`are only not there yet while the grant is ${state}`, async () => {
      await assert.rejects(sourceWith('grant_not_active', state).source.token(), (error) =>
        hasCode(error, 'grant_not_active'),
      );
    });
  }

  it('are over when there is no such grant', async () => {
    await assert.rejects(sourceWith('not_found').source.token(), (error) => hasCode(error, 'grant_ended'));
  });

  it('are not over because the control plane has trouble', async () => {
    const { source, sent } = sourceWith('store_unavailable');
    await assert.rejects(source.token(), (error) => hasCode(error, 'store_unavailable'));
    assert.equal(sent.length, 1);
  });

  /** A control plane that knows a chain of grants, of which the last is in a state. */
  function chainWith(state: GrantState, change: (id: string) => object = () => ({})) {
    const sent: string[] = [];
    const ids = ['g1', 'g2', 'g3'];
    const transport: HttpTransport = (request) => {
      const [, id = '', credential] = /grants\/([^/]+)(\/credential)?$/.exec(request.url) ?? [];
      sent.push(credential === undefined ? `look ${id}` : `token ${id}`);
      const isLast = id === 'g3';
      if (credential !== undefined && isLast && state === 'active') {
        return json(200, {
          ...{
            kind: 'bearer',
            leaseId: 'l1',
            grantId: id,
            host: HOST,
            accessToken: `token-of-${id}`,
            tokenType: 'Bearer',
          },
          expiresAt: '2027-01-15T08:15:00.000Z',
        });
      }
      if (credential !== undefined) {
        const code = 'grant_not_active';
        return json(409, { type: `urn:oam:problem:${code}`, title: code, status: 409, detail: 'No.', code });
      }
      return json(200, {
        ...grantView({ id, chainId: 'g1', state: isLast ? state : 'ended' }),
        extends: ids[ids.indexOf(id) - 1] ?? null,
        successor: ids[ids.indexOf(id) + 1] ?? null,
        ...change(id),
      });
    };
    const client = createControlPlaneClient({
      baseUrl: 'https://oam.example',
      accessToken: () => Promise.resolve('access'),
      transport,
    });
    return { source: roleTokenSource({ grantId: 'g1', client, redactor: createRedactor() }), sent };
  }

  it('go on under the grants that extend theirs, and stay with the last one', async () => {
    const { source, sent } = chainWith('active');
    assert.equal((await source.token()).accessToken, 'token-of-g3');
    assert.equal((await source.token()).accessToken, 'token-of-g3');
    assert.deepEqual(sent, ['token g1', 'look g1', 'look g2', 'look g3', 'token g3', 'token g3']);
  });

  it('are over for ever once the last grant of the chain is', async () => {
    await assert.rejects(chainWith('revoking').source.token(), (error) => hasCode(error, 'grant_ended'));
  });

  for (const [what, change] of [
    ['role', { role: { ...grantView().role, id: 'admin' } }],
    ['workspace', { role: { ...grantView().role, workspace: { name: 'w', host: 'https://evil.example' } } }],
    ['person', { principal: { ...grantView().principal, sub: 'omar' } }],
    ['chain', { extends: 'g0' }],
  ] as const) {
    it(`do not go on under a grant of another ${what}`, async () => {
      const { source, sent } = chainWith('active', (id) => (id === 'g2' ? change : {}));
      await assert.rejects(source.token(), (error) => hasCode(error, 'wrong_grant'));
      assert.deepEqual(sent, ['token g1', 'look g1', 'look g2']);
    });
  }

  it("are thrown away when they are another grant's", async () => {
    await assert.rejects(sourceWith(undefined, 'active', 'g2').source.token(), (error) => {
      assert.ok(error instanceof OamError);
      return error.code === 'wrong_grant';
    });
  });
});
