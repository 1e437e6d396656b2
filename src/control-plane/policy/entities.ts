import type { Context, EntityJson, EntityUidJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';

import { OamError } from '../../domain/errors.ts';
import type { Principal, PrincipalKey, WorkloadFacts } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type {
  ApprovalFacts,
  AuditReadFacts,
  DelegationFacts,
  KeyRotationFacts,
  RequestFacts,
  RevocationFacts,
  TeamMembership,
} from './facts.ts';

/** What the rules can be asked. */
export const POLICY_ACTIONS = [
  'request.at_once',
  'request.with_approval',
  'request.break_glass',
  'workload.at_once',
  'workload.with_approval',
  'approve',
  'delegate',
  'revoke',
  'read_audit',
  'rotate_keys',
] as const;

/** One of {@link POLICY_ACTIONS}. */
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

/** A question in Cedar's form. It carries only what it is about, never the whole directory. */
export interface Question {
  readonly action: PolicyAction;
  readonly principal: TypeAndId;
  readonly resource: TypeAndId;
  readonly context: Context;
  readonly entities: EntityJson[];
}

/** A request, by one of the two ways that people and workloads have. */
export function requestQuestion(way: 'at_once' | 'with_approval', facts: RequestFacts): Question {
  const { principal, teams, role } = facts;
  return {
    ...(principal.workload === undefined
      ? aboutRole(`request.${way}`, principal, teams, role)
      : aboutWorkload(`workload.${way}`, principal, principal.workload, role)),
    context: wishContext(facts),
  };
}

/** A person's request in an emergency. */
export function breakGlassQuestion(facts: RequestFacts): Question {
  const { principal, teams, role } = facts;
  return {
    ...aboutRole('request.break_glass', principal, teams, role),
    context: wishContext(facts),
  };
}

function wishContext(facts: RequestFacts): Context {
  return {
    minutes: facts.minutes,
    extension: facts.extension,
    purposeCharacters: facts.purposeCharacters,
    verified: [...facts.verified],
    hourUtc: facts.hourUtc,
    weekday: facts.weekday,
    ...(facts.ticket !== undefined && { ticket: facts.ticket }),
  };
}

/** An approver's word. */
export function approvalQuestion(facts: ApprovalFacts): Question {
  const { approver, teams, requester, role, stage, minutes } = facts;
  return {
    ...aboutRole('approve', approver, teams, role),
    context: {
      requester: reference(personId(requester)),
      approverGroups: [...stage.approverGroups],
      ...(stage.approverDuty !== undefined && {
        approverDuty: reference({ type: 'Duty', id: stage.approverDuty }),
      }),
      approverAttributes: Object.keys(stage.approverAttributes ?? {}),
      ofTeam: stage.ofTeam !== undefined,
      quorum: stage.quorum,
      minutes,
    },
  };
}

/** Deciding for somebody else. */
export function delegationQuestion(facts: DelegationFacts): Question {
  const { delegator, delegatorTeams, delegate, delegateTeams, team } = facts;
  return {
    action: 'delegate',
    principal: personId(delegator),
    resource: personId(delegate),
    context: team === undefined ? {} : { team: reference({ type: 'Team', id: team }) },
    entities: [personEntity(delegator, delegatorTeams), personEntity(delegate, delegateTeams)],
  };
}

/** The end of another's access. */
export function revocationQuestion(facts: RevocationFacts): Question {
  return {
    ...aboutRole('revoke', facts.revoker, facts.teams, facts.role),
    context: { holder: reference(personId(facts.holder)) },
  };
}

/** A look into the trail. */
export function auditReadQuestion(facts: AuditReadFacts): Question {
  return {
    action: 'read_audit',
    principal: personId(facts.reader),
    resource: { type: 'Trail', id: 'audit' },
    context: {},
    entities: [personEntity(facts.reader, facts.teams)],
  };
}

/** A change of the keys that OAM signs with. */
export function keyRotationQuestion(facts: KeyRotationFacts): Question {
  return {
    action: 'rotate_keys',
    principal: personId(facts.operator),
    resource: { type: 'Issuer', id: 'oam' },
    context: {},
    entities: [personEntity(facts.operator, facts.teams)],
  };
}

function aboutRole(
  action: PolicyAction,
  principal: Principal,
  teams: readonly TeamMembership[],
  role: Role,
): Omit<Question, 'context'> {
  return {
    action,
    principal: personId(principal),
    resource: { type: 'Role', id: role.id },
    entities: [personEntity(principal, teams), roleEntity(role)],
  };
}

function aboutWorkload(
  action: PolicyAction,
  { iss, sub, userName }: Principal,
  workload: WorkloadFacts,
  role: Role,
): Omit<Question, 'context'> {
  const uid = { type: 'Workload', id: JSON.stringify([iss, sub]) };
  return {
    action,
    principal: uid,
    resource: { type: 'Role', id: role.id },
    entities: [
      {
        uid,
        attrs: { issuer: workload.issuer, subject: userName },
        parents: [],
        tags: { ...workload.claims },
      },
      roleEntity(role),
    ],
  };
}

/** Issuer and subject as one id that no other pair gives. */
function personId({ iss, sub }: PrincipalKey): TypeAndId {
  return { type: 'Person', id: JSON.stringify([iss, sub]) };
}

function personEntity(principal: Principal, teams: readonly TeamMembership[]): EntityJson {
  if (principal.groups.kind === 'overflowed') {
    throw new OamError(
      'groups_overflowed',
      'Your identity provider lists too many groups to be told here, so nothing can be decided. Ask its administrators to limit the groups of this application.',
    );
  }
  const teamReference = ({ name }: TeamMembership) => reference({ type: 'Team', id: name });
  return {
    uid: personId(principal),
    attrs: {
      issuer: principal.iss,
      userName: principal.userName,
      duty: reference({ type: 'Duty', id: principal.duty ?? 'none' }),
      groups: [...principal.groups.names],
      teams: teams.map(teamReference),
      leads: teams.filter(({ lead }) => lead).map(teamReference),
    },
    parents: [],
    tags: Object.fromEntries(
      Object.entries(principal.attributes ?? {}).map(([name, values]) => [name, [...values]]),
    ),
  };
}

function roleEntity(role: Role): EntityJson {
  return {
    uid: { type: 'Role', id: role.id },
    attrs: {
      team: reference({ type: 'Team', id: role.team }),
      workspace: reference({ type: 'Workspace', id: role.workspace }),
      sensitivity: reference({ type: 'Sensitivity', id: role.sensitivity }),
      credential: reference({ type: 'Credential', id: role.credential }),
    },
    parents: [],
  };
}

function reference(id: TypeAndId): Extract<EntityUidJson, { __entity: TypeAndId }> {
  return { __entity: id };
}
