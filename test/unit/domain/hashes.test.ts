import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';

import fc from 'fast-check';

import { ASSET_KINDS, type AssetRight } from '../../../src/domain/asset-right.ts';
import { backoffMs, BACKOFF_MAX_MS } from '../../../src/domain/backoff.ts';
import { canonicalJson } from '../../../src/domain/canonical.ts';
import type { Evidence } from '../../../src/domain/evidence.ts';
import { areFactsFresh } from '../../../src/domain/freshness.ts';
import { requestHash, type RequestSubstance, roleHash } from '../../../src/domain/request-hash.ts';
import { DUTIES, type PrincipalKey } from '../../../src/domain/principal.ts';
import {
  type ApprovalStage,
  CREDENTIAL_KINDS,
  type JitGroup,
  type Probe,
  type Role,
  type RoleServicePrincipal,
  SENSITIVITIES,
} from '../../../src/domain/role.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { runs } from '../../reporting/properties.ts';

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

/** A type with each of its fields named, whether or not it may be left out. */
type Whole<T> = { [Field in keyof Required<T>]: T[Field] };

/**
 * Every field by its name: one that is added to the types and not here does not compile, and one that is here and not
 * in the hash is found below.
 */
const text = fc.string({ minLength: 1, maxLength: 4 });
const minutes = fc.integer({ min: 1, max: 600 });
const stage: fc.Arbitrary<Whole<ApprovalStage>> = fc.record<Whole<ApprovalStage>>({
  approverGroups: fc.array(text, { maxLength: 2 }),
  approverDuty: fc.option(fc.constantFrom(...DUTIES), { nil: undefined }),
  approverAttributes: fc.option(fc.dictionary(text, fc.array(text, { maxLength: 2 }), { maxKeys: 2 }), {
    nil: undefined,
  }),
  ofTeam: fc.option(fc.record({ name: text, groups: fc.array(text, { maxLength: 2 }) }), { nil: undefined }),
  quorum: fc.integer({ min: 1, max: 3 }),
});
const anyRole: fc.Arbitrary<Whole<Role>> = fc.record<Whole<Role>>({
  id: text,
  title: text,
  gives: text,
  workspace: text,
  team: text,
  sensitivity: fc.constantFrom(...SENSITIVITIES),
  credential: fc.constantFrom(...CREDENTIAL_KINDS),
  group: fc.record<Whole<JitGroup>>({ id: text, name: text }),
  servicePrincipal: fc.option(fc.record<Whole<RoleServicePrincipal>>({ id: text, applicationId: text }), {
    nil: undefined,
  }),
  maxMinutes: minutes,
  maxTotalMinutes: minutes,
  defaultMinutes: minutes,
  tokenMinutes: minutes,
  approval: fc.array(stage, { maxLength: 2 }),
  probe: fc.option(fc.record<Whole<Probe>>({ securableType: text, fullName: text, privilege: text }), {
    nil: undefined,
  }),
  rights: fc.option(
    fc.array(
      fc.record<Whole<AssetRight>>({ kind: fc.constantFrom(...ASSET_KINDS), name: text, level: text }),
      {
        maxLength: 2,
      },
    ),
    { nil: undefined },
  ),
});
/** Until when a word counts is not in the hash: it moves on while callbacks say the same. */
const GOOD_UNTIL_MS = 9;
const evidence: fc.Arbitrary<Whole<Evidence>> = fc.record({
  callback: text,
  verdict: fc.constantFrom('confirmed', 'refuted'),
  atMs: minutes,
  goodUntilMs: fc.constant(GOOD_UNTIL_MS),
  reason: fc.option(text, { nil: undefined }),
  evidenceId: fc.option(text, { nil: undefined }),
  ticketTitle: fc.option(text, { nil: undefined }),
  ticketStatus: fc.option(text, { nil: undefined }),
});
const anySubstance: fc.Arbitrary<Whole<RequestSubstance>> = fc.record<Whole<RequestSubstance>>({
  requester: fc.record<Whole<PrincipalKey>>({ iss: text, sub: text }),
  role: anyRole,
  policyVersion: text,
  minutes,
  startsAtMs: fc.option(fc.nat(), { nil: undefined }),
  purpose: text,
  ticket: fc.option(text, { nil: undefined }),
  codeContext: fc.option(fc.dictionary(text, text, { maxKeys: 2 }), { nil: undefined }),
  extendsGrantId: fc.option(text, { nil: undefined }),
  breakGlass: fc.boolean(),
  evidence: fc.array(evidence, { maxLength: 2 }),
});

/** A value with what stands at one of its paths taken from another value of its kind, and the path. */
function transplants(value: unknown, other: unknown, path = ''): { path: string; value: unknown }[] {
  if (!isObject(value) || !isObject(other)) return [{ path, value: other }];
  return [...new Set([...Object.keys(value), ...Object.keys(other)])].flatMap((name) =>
    transplants(value[name], other[name], `${path}.${name}`).map((inner) => ({
      path: inner.path,
      value: { ...value, [name]: inner.value },
    })),
  );
}

/** As JSON says it: what is undefined is not there. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

describe('the hash that approvals are bound to', () => {
  it('changes with any change of any field, however deep, of what an approver judges', () => {
    const changed = new Set<string>();
    fc.assert(
      fc.property(anySubstance, anySubstance, (one, other) => {
        const hash = requestHash(one);
        for (const { path, value } of transplants(one, other)) {
          if (isDeepStrictEqual(asJson(value), asJson(one))) continue;
          assert.notEqual(requestHash(value as RequestSubstance), hash, path);
          changed.add(
            path.split('.')[1] === 'role' ? `role.${path.split('.')[2] ?? ''}` : (path.split('.')[1] ?? ''),
          );
        }
      }),
      { numRuns: runs(300) },
    );
    const [sample] = fc.sample(anySubstance, 1);
    assert.ok(sample);
    for (const field of Object.keys(sample).filter((name) => name !== 'role'))
      assert.ok(changed.has(field), field);
    for (const field of Object.keys(sample.role)) assert.ok(changed.has(`role.${field}`), `role.${field}`);
  });

  it('is the same for equal substance, in whatever order it was built', () => {
    const reversed = <T extends object>(value: T): T =>
      Object.fromEntries(Object.entries(value).reverse()) as T;
    fc.assert(
      fc.property(anySubstance, (substance) => {
        const { role } = substance;
        const again = reversed({ ...substance, role: reversed({ ...role, group: reversed(role.group) }) });
        assert.equal(requestHash(again), requestHash(substance));
        assert.equal(roleHash(again.role), roleHash(role));
      }),
    );
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
