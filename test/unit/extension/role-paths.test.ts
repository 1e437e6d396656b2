import assert from 'node:assert/strict';

import { type Broker, pointerEnvironment, startBroker } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import type { Person } from '../../../src/extension/injection/person.ts';
import { RolePaths } from '../../../src/extension/injection/role-paths.ts';
import { fakeControlPlane } from './control-plane.ts';
import { aGrant } from './views.ts';

const ANA: Person = { kind: 'signedIn', principal: { iss: 'https://idp', sub: 'ana' } };
const LENA: Person = { kind: 'signedIn', principal: { iss: 'https://idp', sub: 'lena' } };

describe('the paths of roles', () => {
  let broker: Broker;
  let person: Person;
  let issued: number;
  let paths: RolePaths;
  let started: Promise<unknown>;

  beforeEach(async () => {
    const clock = { nowMs: () => Date.now() };
    const redactor = createRedactor();
    broker = await startBroker({ clock, logger: silentLogger, redactor });
    person = ANA;
    issued = 0;
    started = Promise.resolve();
    const { client } = fakeControlPlane({
      issueCredential: ({ params }) => {
        issued++;
        return {
          kind: 'bearer',
          leaseId: `lease-${issued}`,
          grantId: params?.id ?? '',
          accessToken: `token-of-the-role-${issued}`,
          tokenType: 'Bearer',
          host: aGrant().role.workspace.host,
          // Less than the broker holds on to, so that every question is asked again.
          expiresAt: new Date(Date.now() + 15_000).toISOString(),
        };
      },
    });
    paths = new RolePaths({
      broker: async () => {
        await started;
        return broker;
      },
      client: () => client,
      person: () => person,
      signIn: (host, principal) => ({
        ...{ host, principal, clock, redactor },
        session: { subjectToken: () => assert.fail('No role here is assumed.') },
        trust: hostTrust([]),
        transport: () => assert.fail('Nothing is to be sent.'),
      }),
      signInId: () => 'the-sign-in-of-today',
      redactor,
      onRefusal: () => undefined,
    });
  });
  afterEach(() => broker.close());

  async function ask(url: string): Promise<{ status: number; code: unknown }> {
    const { DATABRICKS_HOST } = pointerEnvironment({ host: aGrant().role.workspace.host, url });
    const answer = await fetch(url, {
      headers: { 'x-databricks-metadata-version': '1', 'x-databricks-host': DATABRICKS_HOST },
    });
    const body = (await answer.json()) as { error?: unknown };
    return { status: answer.status, code: body.error };
  }

  function become(next: Person): void {
    person = next;
    paths.setPerson(next);
  }

  it('answer while the person who holds the grant is signed in', async () => {
    const { url } = await paths.open(aGrant());
    assert.deepEqual(await ask(url), { status: 200, code: undefined });
    become(ANA);
    paths.endAllBut([aGrant()]);
    assert.deepEqual(await ask(url), { status: 200, code: undefined });
  });

  it('end for ever when somebody else signs in, also for the first person', async () => {
    const { url } = await paths.open(aGrant());
    assert.equal((await ask(url)).status, 200);
    become(LENA);
    assert.deepEqual(await ask(url), { status: 410, code: 'principal_changed' });
    become(ANA);
    assert.deepEqual(await ask(url), { status: 410, code: 'principal_changed' });
    assert.equal(issued, 1);
  });

  it('end for ever at sign-out', async () => {
    const { url } = await paths.open(aGrant());
    become({ kind: 'nobody' });
    become(ANA);
    assert.deepEqual(await ask(url), { status: 410, code: 'signed_out' });
    assert.equal(issued, 0);
  });

  it('wait for the same person where a session has run out', async () => {
    const { url } = await paths.open(aGrant());
    become({ kind: 'expired' });
    become(ANA);
    assert.equal((await ask(url)).status, 200);
  });

  it('ask nothing in the name of somebody of whom nobody has told them yet', async () => {
    const { url } = await paths.open(aGrant());
    person = LENA;
    assert.deepEqual(await ask(url), { status: 410, code: 'principal_changed' });
    person = ANA;
    assert.deepEqual(await ask(url), { status: 410, code: 'principal_changed' });
    assert.equal(issued, 0);
  });

  it('end with their grant', async () => {
    const [kept, gone] = [await paths.open(aGrant()), await paths.open(aGrant({ id: 'g2' }))];
    paths.endAllBut([aGrant(), aGrant({ id: 'g2', state: 'revoking' })]);
    assert.equal((await ask(kept.url)).status, 200);
    assert.deepEqual(await ask(gone.url), { status: 410, code: 'grant_ended' });
  });

  it('go on with the grant that extends theirs, however often, and end with that one', async () => {
    const { url } = await paths.open(aGrant());
    const third = aGrant({ id: 'g3', chainId: 'g1', extends: 'g2' });
    paths.endAllBut([third]);
    assert.equal((await ask(url)).status, 200);
    paths.endAllBut([{ ...third, state: 'revoking' }]);
    assert.deepEqual(await ask(url), { status: 410, code: 'grant_ended' });
  });

  it('are not opened for nobody, nor for somebody who left while the broker was started', async () => {
    const gate = Promise.withResolvers<undefined>();
    started = gate.promise;
    const opening = paths.open(aGrant());
    person = LENA;
    gate.resolve(undefined);
    await assert.rejects(opening, { code: 'cancelled' });
    person = { kind: 'nobody' };
    await assert.rejects(paths.open(aGrant()), { code: 'not_signed_in' });
  });
});
