import assert from 'node:assert/strict';

import fc from 'fast-check';

import { demandsOf, describeApprovers, isNamedBy, marksOf } from '../../../src/domain/approvers.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { DUTIES } from '../../../src/domain/principal.ts';
import type { ApprovalStage } from '../../../src/domain/role.ts';
import { runs } from '../../reporting/properties.ts';

const names = fc.uniqueArray(fc.constantFrom<string[]>('a', 'b', 'c', 'lead', 'on=call'), { maxLength: 3 });
const attributes = fc.dictionary(fc.constantFrom('site', 'on_call', 'toString'), names, { maxKeys: 2 });
const duty = fc.option(fc.constantFrom(...DUTIES), { nil: undefined });

const stages: fc.Arbitrary<ApprovalStage> = fc.record({
  approverGroups: names,
  approverDuty: duty,
  approverAttributes: fc.option(attributes, { nil: undefined }),
  ofTeam: fc.option(
    names.map((groups) => ({ name: 'team', groups })),
    { nil: undefined },
  ),
  quorum: fc.constant(1),
});

const people = fc.record({
  groups: names.map((list) => ({ kind: 'listed' as const, names: list })),
  duty,
  attributes,
});

describe('whom a stage is for', () => {
  it('is whoever meets each demand that it makes, and nobody where it makes none', () => {
    fc.assert(
      fc.property(stages, people, (stage, person) => {
        const inOneOf = (groups: readonly string[]): boolean =>
          groups.some((group) => person.groups.names.includes(group));
        const wanted = Object.entries(stage.approverAttributes ?? {});
        const demands = [
          ...(stage.approverGroups.length > 0 ? [inOneOf(stage.approverGroups)] : []),
          ...(stage.ofTeam === undefined ? [] : [inOneOf(stage.ofTeam.groups)]),
          ...(stage.approverDuty === undefined ? [] : [stage.approverDuty === person.duty]),
          ...wanted.map(
            ([name, values]) =>
              Object.hasOwn(person.attributes, name) &&
              values.some((value) => person.attributes[name]?.includes(value)),
          ),
        ];
        assert.equal(isNamedBy(stage, person), demands.length > 0 && demands.every(Boolean));
      }),
      { numRuns: runs(2_000) },
    );
  });

  it('never becomes another by one more demand, and is nobody by marks that nobody bears', () => {
    fc.assert(
      fc.property(stages, people, fc.constantFrom(...DUTIES), (stage, person, more) => {
        fc.pre(stage.approverDuty === undefined && demandsOf(stage).some((demand) => demand.length > 0));
        if (isNamedBy({ ...stage, approverDuty: more }, person)) assert.ok(isNamedBy(stage, person));
      }),
    );
    const bare = { groups: { kind: 'listed' as const, names: [] }, duty: undefined };
    assert.deepEqual(marksOf(bare), []);
    assert.equal(isNamedBy({ approverGroups: [], quorum: 1 }, bare), false);
  });

  it('is neither yes nor no for somebody whose groups overflowed', () => {
    const overflowed = { groups: { kind: 'overflowed' as const }, duty: 'lead' as const };
    assert.throws(
      () => isNamedBy({ approverGroups: [], approverDuty: 'lead', quorum: 1 }, overflowed),
      (error) => hasCode(error, 'groups_overflowed'),
    );
    assert.deepEqual(marksOf(overflowed), []);
  });

  it('is said in words', () => {
    assert.equal(describeApprovers({ approverGroups: ['leads', 'owners'] }), 'leads or owners');
    assert.equal(
      describeApprovers({
        approverGroups: [],
        approverDuty: 'lead',
        approverAttributes: { site: ['berlin', 'porto'] },
        ofTeam: 'recsys',
      }),
      'people with duty lead and site berlin or porto of the team recsys',
    );
  });
});
