import assert from 'node:assert/strict';

import { explainStoredRequest } from '../../../../src/cli/policy/explain-request.ts';
import type { ExplanationView } from '../../../../src/protocol/explanation.ts';
import { ANA_SESSION } from '../../../unit/extension/views.ts';
import { fakeInvocation } from '../../../unit/cli/fake-control-plane.ts';
import { withCatalogue, withRole } from '../changed-role.ts';
import { type Name, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-model-promote';

describe('why a request was decided as it was', function () {
  this.timeout(30_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const explanation = (id: string, name: Name = 'ana'): Promise<ExplanationView> =>
    world.client(name).call('explainRequest', { params: { id } });
  const approved = async (): Promise<string> => {
    const { id, version } = await world.ask('ana', ROLE);
    const { grantId } = await world
      .client('lena')
      .call('approveRequest', { params: { id }, version, body: { comment: 'Go\nahead' } });
    // What is given is not looked at again; before that, another policy could still deny it.
    await world.until(String(grantId), 'active');
    return id;
  };

  it('is told by what was stored with it, beside what the policy says that serves now', async () => {
    const id = await approved();
    const first = await explanation(id);
    assert.equal(first.then.decision, 'needs_approval');
    assert.match(first.then.because.join(), /when a lead approves/);
    assert.equal(first.then.policyVersion, world.policy.hash);
    assert.deepEqual(
      [first.now.decision, first.now.because, first.now.policyVersion],
      [first.then.decision, first.then.because, world.policy.hash],
    );
    assert.ok(first.now.rules.includes('sensitive-roles-after-approval'));

    await world.restart(withRole(ROLE, { maxMinutes: 2 }));
    const later = await explanation(id);
    assert.deepEqual(later.then, first.then);
    assert.equal(later.now.decision, 'refused');
    assert.match(later.now.because.join(), /lasts 2 minutes at most/);
    assert.notEqual(later.now.policyVersion, later.then.policyVersion);
  });

  it('names the nearest rule for a requester who is not any more what they were', async () => {
    const id = await approved();
    // Of two words of the same second the first counts.
    await world.advance(2_000);
    await world.client('ana', { duty: 'lead' }).call('getMe');
    const { now } = await explanation(id);
    assert.equal(now.decision, 'refused');
    assert.equal(now.nearest?.rule, 'sensitive-roles-after-approval');
    assert.match(now.nearest.unmet.join(), /your duty is 'data-scientist'/);
  });

  it('says what is in the way where policy cannot be asked', async () => {
    const id = await approved();
    await world.restart(
      withCatalogue((catalogue) => ({
        ...catalogue,
        roles: catalogue.roles.filter((role) => role.id !== ROLE),
      })),
    );
    const { then, now } = await explanation(id);
    assert.equal(then.decision, 'needs_approval');
    assert.deepEqual([now.decision, now.because], ['unknown', ['The catalogue has this role no more.']]);
  });

  it('is told to nobody who does not see the request', async () => {
    const id = await approved();
    for (const name of ['lena', 'aude'] as const) await explanation(id, name);
    await refused(explanation(id, 'omar'), 'not_found');
    await refused(explanation('none'), 'not_found');
  });

  it('is what oam policy explain --request prints', async () => {
    const id = await approved();
    await world.restart(withRole(ROLE, { maxMinutes: 2 }));
    const { invocation, answers } = fakeInvocation();
    const connection = { client: world.client('ana'), signedIn: () => Promise.resolve(ANA_SESSION) };
    await explainStoredRequest(id, { keychain: false }, connection, invocation);
    const said = answers.join('\n');
    assert.match(
      said,
      new RegExp(`^${ROLE} for 5 min, asked by Ana Silva, .*: with approval\\n {2}Data scientists`),
    );
    assert.match(said, new RegExp(`by policy version ${world.policy.hash}`));
    assert.match(said, /approved by Lena[^\n]*: Go ahead\n {2}and is approved\nAsked now: refused\n/);
    await explainStoredRequest(id, { keychain: false, json: true }, connection, invocation);
    assert.deepEqual(JSON.parse(answers.at(-1) ?? ''), await explanation(id));
  });
});
