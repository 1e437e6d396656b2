import { DUTIES, type Principal } from '../../domain/principal.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import {
  approvalQuestion,
  auditReadQuestion,
  breakGlassQuestion,
  delegationQuestion,
  keyRotationQuestion,
  type Question,
  requestQuestion,
  revocationQuestion,
} from './entities.ts';

const WORKLOAD: Principal = {
  iss: 'urn:oam:workload:trial',
  sub: 'trial',
  userName: 'trial',
  displayName: 'Trial',
  groups: { kind: 'listed', names: [] },
  duty: undefined,
  workload: { issuer: 'trial', claims: {}, run: undefined },
  seenAtMs: 0,
};

/**
 * Questions of every kind about every role, in the forms that OAM asks. A version that cannot answer them is not
 * published: at run time it would refuse everybody.
 */
export function* probeQuestions(catalogue: Catalogue): Generator<Question> {
  for (const duty of [...DUTIES, undefined]) {
    const principal: Principal = {
      iss: 'https://trial.invalid',
      sub: 'trial',
      userName: 'trial',
      displayName: 'Trial',
      groups: {
        kind: 'listed',
        names: catalogue.teams.flatMap(({ group, leadGroup }) => [group, leadGroup]),
      },
      duty,
      attributes: Object.fromEntries(catalogue.attributes.map((name) => [name, ['trial']])),
      seenAtMs: 0,
    };
    const teams = catalogue.teams.map(({ name }) => ({ name, lead: true }));
    const other = { iss: principal.iss, sub: 'another' };
    for (const role of catalogue.roles) {
      for (const ticket of [undefined, 'TRIAL-1']) {
        const facts = {
          principal,
          teams,
          role,
          minutes: role.maxMinutes,
          extension: ticket !== undefined,
          breakGlass: false,
          ticket,
          purposeCharacters: 100,
          verified: ticket === undefined ? [] : ['trial'],
          hourUtc: 12,
          weekday: 1,
        };
        yield breakGlassQuestion({ ...facts, breakGlass: true });
        for (const asker of [principal, WORKLOAD]) {
          yield requestQuestion('at_once', { ...facts, principal: asker });
          yield requestQuestion('with_approval', { ...facts, principal: asker });
        }
      }
      for (const stage of role.approval) {
        yield approvalQuestion({
          approver: principal,
          teams,
          requester: other,
          role,
          stage,
          minutes: role.maxMinutes,
        });
      }
      yield revocationQuestion({ revoker: principal, teams, holder: other, role });
    }
    for (const team of [undefined, ...catalogue.teams.map(({ name }) => name)]) {
      const delegate = { ...principal, sub: 'delegate' };
      yield delegationQuestion({
        ...{ delegator: principal, delegatorTeams: teams, delegate, delegateTeams: teams, team },
      });
    }
    yield auditReadQuestion({ reader: principal, teams });
    yield keyRotationQuestion({ operator: principal, teams });
  }
}
