import assert from 'node:assert/strict';

import fc from 'fast-check';

import { ROLES } from './world/company.ts';
import { COMMANDS } from './world/commands.ts';
import { Desk } from './world/desk.ts';
import { Ledger } from './world/ledger.ts';
import { expectOneWinner } from './world/races.ts';
import { Surroundings } from './world/surroundings.ts';
import { runs } from '../../reporting/properties.ts';

/** What a world must have seen for its silence to mean something. */
const SEEN = [
  ...['ask', 'approve', 'deny', 'cancel', 'extend', 'returned', 'revoked', 'token', 'review'],
  ...['ask: sign_in_again', 'ask: groups_overflowed', 'approve: own_request', 'deny: own_request'],
  ...['approve: already_decided', 'approve: not_allowed', 'approve: window_too_long'],
  ...['approve: sign_in_again', 'approve: groups_overflowed', 'approve: precondition_failed'],
  ...['cancel: not_allowed', 'extend: already_extended', 'extend: bad_request', 'extend: grant_not_active'],
  ...['extend: window_too_long', 'review: own_request', 'review: bad_request', 'review: already_decided'],
  ...['returned: grant_not_active', 'token: grant_not_active', 'add: sign_in_again'],
  ...['access became active', 'access expired', 'access was extended', 'access lay ahead', 'a run went on'],
  ...['a request lapsed', 'an extension lost its ground', 'a request was judged anew'],
  ...['a request waited for its requester', 'a return let a request be granted', 'the glass was broken'],
  ...['a grant was given up', 'a removal got stuck', 'a late write brought a member back'],
  ...['another grant kept the membership', 'a membership was seen to be gone', 'races'],
];

describe('a world of requests, grants and memberships', function () {
  this.timeout(60_000);

  it('keeps every promise, whoever does what in whatever order, and one of any two decisions wins', () => {
    const tally = new Map<string, number>();
    fc.assert(
      fc.property(fc.commands(COMMANDS, { maxCommands: 250, size: 'max' }), (commands) => {
        let world: { desk: Desk; surroundings: Surroundings } | undefined;
        fc.modelRun(() => {
          const surroundings = new Surroundings();
          world = { surroundings, desk: new Desk(surroundings) };
          const model = new Ledger(tally);
          for (const { id, approval } of ROLES) model.roles.set(id, { revision: 0, stages: approval });
          return { model, real: world };
        }, commands);
        if (world !== undefined) expectOneWinner(world.desk, world.surroundings.nowMs, tally);
      }),
      { numRuns: runs(150) },
    );
    const unseen = SEEN.filter((what) => !tally.has(what));
    assert.deepEqual(
      unseen,
      [],
      [...tally]
        .map(([what, times]) => `${what} ${times}`)
        .sort()
        .join('\n'),
    );
  });
});
