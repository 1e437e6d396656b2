import assert from 'node:assert/strict';

import { hostTrust } from '../../../src/databricks/index.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { AccessModel } from '../../../src/extension/access-view/access-model.ts';
import type { Asset } from '../../../src/extension/access-view/entitlements.ts';
import { Changes } from '../../../src/extension/changes.ts';
import type { ConnectionState } from '../../../src/extension/connection/connection.ts';
import type { Session } from '../../../src/identity/index.ts';
import type { ControlPlaneClient } from '../../../src/protocol/client.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';
import { fakeControlPlane } from './control-plane.ts';
import { aGrant, aMe, ANA_SESSION, aRole, LENA, NOBODY, PROD, TRUST } from './views.ts';

const LENA_SESSION: Session = { ...ANA_SESSION, subject: 'lena', userName: LENA.userName };

/** The part of a JWT that says whose it is. */
function subjectTokenOf({ issuer, subject }: Session): string {
  const payload = Buffer.from(JSON.stringify({ iss: issuer, sub: subject })).toString('base64url');
  return `x.${payload}.x`;
}

describe('what is known of a person’s access', () => {
  let state: ConnectionState;
  let signedIn: Session;
  const changes = new Changes<ConnectionState>();
  let model: AccessModel;
  let gate: Promise<unknown>;
  /** Whose tokens reached the workspace. */
  let exchanged: string[];

  function become(session: Session, client: ControlPlaneClient): void {
    signedIn = session;
    state = {
      kind: 'signedIn',
      url: 'https://oam.example.com',
      trust: TRUST,
      session,
      client,
      caller: NOBODY,
    };
    changes.fire(state);
  }

  function planeOf(change: Parameters<typeof fakeControlPlane>[0] = {}): ControlPlaneClient {
    return fakeControlPlane({
      getMe: () => aMe(),
      listRoles: () => ({ items: [aRole()] }),
      listRequests: () => ({ items: [], nextCursor: null }),
      listGrants: () => ({ items: [aGrant()], nextCursor: null }),
      listEvents: () => ({ items: [], nextCursor: 'c1' }),
      ...change,
    }).client;
  }

  const answer = (body: unknown): Awaited<ReturnType<HttpTransport>> => ({
    status: 200,
    headers: {},
    text: JSON.stringify(body),
  });

  beforeEach(() => {
    gate = Promise.resolve();
    exchanged = [];
    state = { kind: 'starting', url: 'https://oam.example.com' };
    model = new AccessModel({
      ownSignIn: () => undefined,
      connection: {
        get state() {
          return state;
        },
        onDidChange: changes.on,
        subjectToken: () =>
          Promise.resolve({
            token: subjectTokenOf(signedIn),
            expiresAtMs: Date.now() + 600_000,
            principal: { iss: signedIn.issuer, sub: signedIn.subject },
          }),
      },
      trust: () => hostTrust([]),
      transport: async ({ url, body }) => {
        if (url.includes('.well-known')) {
          return answer({ token_endpoint: `${PROD.host}/oidc/v1/token` });
        }
        if (url.endsWith('/oidc/v1/token')) {
          exchanged.push(new URLSearchParams(body).get('subject_token') ?? '');
          return answer({ access_token: 'a-workspace-token', token_type: 'Bearer', expires_in: 3600 });
        }
        await gate;
        return answer({ registered_models: [] });
      },
      clock: { nowMs: () => Date.now() },
      logger: silentLogger,
      redactor: createRedactor(),
      later: () => ({ dispose: () => undefined }),
      isWatched: () => true,
    });
  });
  afterEach(() => model.dispose());

  const MODEL: Asset = { kind: 'models', id: 'prod.recsys.ranker', name: 'ranker', note: undefined };

  it('is gone in the moment in which somebody else signs in', async () => {
    become(ANA_SESSION, planeOf());
    await model.reload();
    assert.equal(model.data?.grants.length, 1);
    become(LENA_SESSION, planeOf({ getMe: () => new Promise(() => undefined) }));
    assert.equal(model.data, undefined);
    assert.equal(model.state.kind, 'unknown');
  });

  it('stays over a refresh of the same person’s session', async () => {
    const client = planeOf();
    become(ANA_SESSION, client);
    await model.reload();
    become({ ...ANA_SESSION, accessToken: 'another-one' }, client);
    assert.equal(model.data?.grants.length, 1);
  });

  it('is not read in a workspace that only a grant names: no sign-in is sent there', async () => {
    const foreign = 'https://foreign.cloud.databricks.com';
    const { role } = aGrant();
    const grant = { ...aGrant(), role: { ...role, workspace: { name: 'ml-new', host: foreign } } };
    become(ANA_SESSION, planeOf({ listGrants: () => ({ items: [grant], nextCursor: null }) }));
    await model.reload();
    await assert.rejects(model.assets(foreign, 'models', 200), (error) =>
      hasCode(error, 'workspace_not_agreed'),
    );
    assert.deepEqual(exchanged, []);
  });

  it('is not shown to the next person when it was on its way', async () => {
    const slow = Promise.withResolvers<undefined>();
    gate = slow.promise;
    become(ANA_SESSION, planeOf());
    const list = model.assets(PROD.host, 'models', 200);
    const rights = model.rights(PROD.host, MODEL);
    await new Promise((resolve) => setImmediate(resolve));
    become(LENA_SESSION, planeOf());
    slow.resolve(undefined);
    await assert.rejects(list, { code: 'cancelled' });
    await assert.rejects(rights, { code: 'cancelled' });
    assert.equal(model.seenRights(PROD.host, MODEL), undefined);
    assert.equal((await model.assets(PROD.host, 'models', 200)).kind, 'listed');
    assert.deepEqual(new Set(exchanged), new Set([ANA_SESSION, LENA_SESSION].map(subjectTokenOf)));
  });

  it('is not read with the sign-in of somebody of whom nobody has told it yet', async () => {
    become(ANA_SESSION, planeOf());
    signedIn = LENA_SESSION;
    await assert.rejects(model.assets(PROD.host, 'models', 200), { code: 'principal_changed' });
    assert.deepEqual(exchanged, []);
  });

  it('is nothing once nobody is signed in', async () => {
    become(ANA_SESSION, planeOf());
    await model.reload();
    state = { kind: 'signedOut', url: 'https://oam.example.com', expired: false };
    changes.fire(state);
    assert.equal(model.data, undefined);
    await assert.rejects(model.assets(PROD.host, 'models', 200), { code: 'cancelled' });
  });
});
