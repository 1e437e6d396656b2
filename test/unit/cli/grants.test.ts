import assert from 'node:assert/strict';

import { grants, revoke } from '../../../src/cli/commands/grants.ts';
import type { GrantView } from '../../../src/protocol/schemas.ts';
import { ANA_SESSION } from '../extension/views.ts';
import { fakeControlPlane, fakeInvocation, grantView, NOW, ok, page } from './fake-control-plane.ts';

describe('oam grants', () => {
  const lineOf = async (grant: GrantView): Promise<string> => {
    const { client } = fakeControlPlane({ 'GET /grants': [page(grant)] });
    const { invocation, answers } = fakeInvocation();
    await grants({ keychain: false }, { client, signedIn: () => Promise.resolve(ANA_SESSION) }, invocation);
    return answers[1] ?? '';
  };
  const ended = (changes: Partial<GrantView>): GrantView =>
    grantView({ state: 'ended', endReason: 'expired', ...changes });
  const moment = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

  it('says of an access that ended what is left of it', async () => {
    const membershipAbsentAt = moment(-1);
    assert.match(await lineOf(ended({ membershipAbsentAt })), /ended, membership removed \d\d:\d\d /);
    assert.match(
      await lineOf(ended({ membershipAbsentAt, outlives: { until: moment(5), what: 'tokenOnly' } })),
      /membership removed \d\d:\d\d, a token without the right lasts until \d\d:\d\d/,
    );
    assert.match(
      await lineOf(ended({ outlives: { until: moment(5), what: 'right' } })),
      /membership kept by another access or never there, a token carries the right until \d\d:\d\d/,
    );
  });

  it('says who revoked an access, and why', async () => {
    const by = { ...grantView().principal, displayName: 'Lena Fischer' };
    const line = await lineOf(ended({ endReason: 'revoked', revocation: { by, reason: 'Incident\n42' } }));
    assert.match(line, /revoked by Lena Fischer \(Incident 42\), membership/);
    assert.match(await lineOf(ended({ revocation: { by: null, reason: null } })), /revoked, membership/);
  });

  it('says nothing of a token that has expired since', async () => {
    const line = await lineOf(
      ended({ membershipAbsentAt: moment(-9), outlives: { until: moment(-1), what: 'tokenOnly' } }),
    );
    assert.doesNotMatch(line, /token/);
  });

  it('lists the credentials that were issued under each access, and what is left of them', async () => {
    const lease = (id: string, changes: object): object => ({
      ...{ id, grantId: 'g1', state: 'issued', issuedAt: moment(-9), expiresAt: moment(6), renewals: 0 },
      ...{ renewedAt: null, revokedAt: null, outlives: null },
      ...changes,
    });
    const { client } = fakeControlPlane({
      'GET /grants': [page(grantView())],
      'GET /grants/g1/leases': [
        page(
          lease('l1', { state: 'renewed', renewals: 2, renewedAt: moment(-1) }),
          lease('l2', { state: 'outlives', outlives: { until: moment(6), what: 'tokenOnly' } }),
          lease('l3', { state: 'outlives', outlives: { until: moment(6), what: 'right' } }),
          lease('l4', { state: 'revoked', revokedAt: moment(-1) }),
          lease('l5', { state: 'expired', expiresAt: moment(-2) }),
        ),
      ],
    });
    const { invocation, answers } = fakeInvocation();
    const signedIn = () => Promise.resolve(ANA_SESSION);
    await grants({ keychain: false, leases: true }, { client, signedIn }, invocation);
    const said = answers.slice(1);
    for (const [index, words] of [
      /l1 +renewed \(renewed 2 times\) +expires /,
      /l2 +outlives +lives until .*, without the right/,
      /l3 +outlives +good until .*, after the end of the access/,
      /l4 +revoked +gone since /,
      /l5 +expired +expired /,
    ].entries()) {
      assert.match(said[index] ?? '', words);
    }
  });
});

describe('oam revoke', () => {
  it('ends the access with the reason that is given, and says whose it was and no more than is known', async () => {
    const { client, bodies } = fakeControlPlane({
      'POST /grants/g1/revoke': [ok(grantView({ state: 'revoking', endReason: 'revoked' }))],
    });
    const { invocation, answers, notes } = fakeInvocation();
    const signedIn = () => Promise.resolve(ANA_SESSION);
    await revoke('g1', { keychain: false, reason: 'Incident 42' }, { client, signedIn }, invocation);
    assert.deepEqual(answers, ['Revoked: Query the ranker of Ana (grant g1).']);
    assert.match(notes.join(), /oam grants --team --all/);
    assert.deepEqual(bodies, [{ reason: 'Incident 42' }]);
  });
});
