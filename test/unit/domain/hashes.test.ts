import assert from 'node:assert/strict';

import fc from 'fast-check';

import { backoffMs, BACKOFF_MAX_MS } from '../../../src/domain/backoff.ts';
import { canonicalJson } from '../../../src/domain/canonical.ts';
import { areFactsFresh } from '../../../src/domain/freshness.ts';
import { requestHash, type RequestSubstance, roleHash } from '../../../src/domain/request-hash.ts';
import type { Role } from '../../../src/domain/role.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';

const role: Role = {
  id: 'role',
  title: 'Title',
  gives: 'Gives',
  workspace: 'ws',
  team: 'team',
  sensitivity: 'low',
  credential: 'federated',
  group: { id: '1', name: 'g' },
  servicePrincipal: { id: '2', applicationId: 'app' },
  maxMinutes: 60,
  maxTotalMinutes: 180,
  defaultMinutes: 30,
  tokenMinutes: 15,
  approval: [{ approverGroups: ['leads'], quorum: 1 }],
  probe: undefined,
};

const substance: RequestSubstance = {
  requester: { iss: 'i', sub: 's' },
  role,
  policyVersion: 'p',
  minutes: 30,
  purpose: 'why',
  ticket: undefined,
  codeContext: undefined,
  extendsGrantId: undefined,
  startsAtMs: undefined,
  breakGlass: false,
};

describe('the canonical text', () => {
  it('is the same for equal values, in whatever order they were built, and reads back as the value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(Object.fromEntries(Object.entries(value).reverse())), text);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      }),
      { examples: [[Object.fromEntries([['__proto__', 'a name like any other']])]] },
    );
  });
});

describe('the hash that approvals are bound to', () => {
  it('changes with everything that an approver judges', () => {
    const changed: RequestSubstance[] = [
      { ...substance, requester: { iss: 'i', sub: 'other' } },
      { ...substance, policyVersion: 'p2' },
      { ...substance, extendsGrantId: 'g1' },
      { ...substance, startsAtMs: 1 },
      { ...substance, breakGlass: true },
      { ...substance, minutes: 31 },
      { ...substance, purpose: 'something else' },
      { ...substance, ticket: 'T-1' },
      { ...substance, codeContext: { branch: 'main' } },
      { ...substance, role: { ...role, group: { id: '9', name: 'g' } } },
      { ...substance, role: { ...role, servicePrincipal: { id: '2', applicationId: 'other' } } },
      { ...substance, role: { ...role, approval: [] } },
      { ...substance, role: { ...role, gives: 'More' } },
    ];
    const hashes = [substance, ...changed].map(requestHash);
    assert.equal(new Set(hashes).size, hashes.length);
  });

  it('does not depend on the order in which a role was built', () => {
    const { id, ...rest } = role;
    assert.equal(roleHash({ ...rest, id }), roleHash(role));
  });
});

describe('the pause before the next try', () => {
  it('never undercuts what the server asked for and never exceeds a minute and a quarter otherwise', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.option(fc.nat({ max: 300 }), { nil: undefined }),
        (attempt, random, retryAfter) => {
          const pause = backoffMs(attempt, random, retryAfter);
          assert.ok(pause >= (retryAfter ?? 0) * 1_000);
          assert.ok(pause <= Math.max(BACKOFF_MAX_MS * 1.25, (retryAfter ?? 0) * 1_000));
          assert.ok(pause > 0);
        },
      ),
    );
  });
});

describe('facts about a principal', () => {
  it('are fresh for an hour', () => {
    assert.ok(areFactsFresh({ seenAtMs: 0 }, 60 * MINUTE_MS));
    assert.ok(!areFactsFresh({ seenAtMs: 0 }, 60 * MINUTE_MS + 1));
  });
});
