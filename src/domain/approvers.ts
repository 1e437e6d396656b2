import { OamError } from './errors.ts';
import type { Attributes, Principal } from './principal.ts';
import type { ApprovalStage } from './role.ts';

/** What a stage goes by. */
export type ApproverFacts = Pick<Principal, 'groups' | 'duty' | 'attributes'>;

/**
 * What a stage demands of an approver, as sets of marks: of each set the approver has to bear one (see
 * {@link marksOf}). A stage that demands nothing is for nobody, not for everybody.
 */
export function demandsOf(stage: ApprovalStage): readonly (readonly string[])[] {
  const demands = [
    ...(stage.approverGroups.length === 0 ? [] : [stage.approverGroups.map(groupMark)]),
    ...(stage.ofTeam === undefined ? [] : [stage.ofTeam.groups.map(groupMark)]),
    ...(stage.approverDuty === undefined ? [] : [[dutyMark(stage.approverDuty)]]),
    ...Object.entries(stage.approverAttributes ?? {}).map(([name, values]) =>
      values.map((value) => attributeMark(name, value)),
    ),
  ];
  return demands.length === 0 ? [[]] : demands;
}

/** The marks that somebody bears. By a list of groups that overflowed nobody bears any: see {@link isNamedBy}. */
export function marksOf(person: ApproverFacts): readonly string[] {
  if (person.groups.kind === 'overflowed') return [];
  return [
    ...person.groups.names.map(groupMark),
    ...(person.duty === undefined ? [] : [dutyMark(person.duty)]),
    ...Object.entries(person.attributes ?? {}).flatMap(([name, values]) =>
      values.map((value) => attributeMark(name, value)),
    ),
  ];
}

/**
 * True if a stage is for somebody.
 *
 * @throws {OamError} `groups_overflowed`: an incomplete list is neither a yes nor a no.
 */
export function isNamedBy(stage: ApprovalStage, person: ApproverFacts): boolean {
  if (person.groups.kind === 'overflowed') {
    throw new OamError(
      'groups_overflowed',
      'You are in more groups than your identity provider puts into a token, so your right to approve cannot be seen. Ask your administrator to send only the groups that OAM needs.',
    );
  }
  const marks = new Set(marksOf(person));
  return demandsOf(stage).every((demand) => demand.some((mark) => marks.has(mark)));
}

/** True where a stage goes by what only tokens tell. */
export function goesByToken({ approverDuty, approverAttributes }: ApprovalStage): boolean {
  return approverDuty !== undefined || Object.keys(approverAttributes ?? {}).length > 0;
}

/** Whom a stage is for, as it is told to people: the team by its name alone. */
export interface ApproverNames {
  readonly approverGroups: readonly string[];
  readonly approverDuty?: string | null | undefined;
  readonly approverAttributes?: Attributes | undefined;
  readonly ofTeam?: string | null | undefined;
}

/** The names of a stage's approvers. */
export function namesOf(stage: ApprovalStage): ApproverNames {
  return { ...stage, ofTeam: stage.ofTeam?.name };
}

/** Whom a stage is for, in words: `ml-leads or owners with duty lead and on_call platform of the team recsys`. */
export function describeApprovers(stage: ApproverNames): string {
  const who = stage.approverGroups.length === 0 ? 'people' : stage.approverGroups.join(' or ');
  const traits = [
    ...(typeof stage.approverDuty === 'string' ? [`duty ${stage.approverDuty}`] : []),
    ...Object.entries(stage.approverAttributes ?? {}).map(
      ([name, values]) => `${name} ${values.join(' or ')}`,
    ),
  ];
  const bearing = traits.length === 0 ? '' : ` with ${traits.join(' and ')}`;
  return `${who}${bearing}${typeof stage.ofTeam === 'string' ? ` of the team ${stage.ofTeam}` : ''}`;
}

/** A stage as a value that JSON holds; what it does not demand is left out, as before there was such a demand. */
export function stageContent(stage: ApprovalStage) {
  return {
    approverGroups: stage.approverGroups,
    approverDuty: stage.approverDuty,
    approverAttributes: stage.approverAttributes && { ...stage.approverAttributes },
    ofTeam: stage.ofTeam && { ...stage.ofTeam },
    quorum: stage.quorum,
  };
}

function groupMark(name: string): string {
  return `group:${name}`;
}

function dutyMark(duty: string): string {
  return `duty:${duty}`;
}

/** Names of attributes hold no equals sign, so that no other pair gives the same mark. */
function attributeMark(name: string, value: string): string {
  return `attribute:${name}=${value}`;
}
