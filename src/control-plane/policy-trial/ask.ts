import type { Evidence } from '../../domain/evidence.ts';
import type { Attributes, Duty, Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import { DAY_MS, type EpochMs, HOUR_MS } from '../../domain/time.ts';
import type { Ground } from '../policy/facts.ts';
import type { PolicyVersion } from '../policy/version.ts';
import { judge } from '../requests/judgement.ts';
import { teamsOf } from '../roles/teams.ts';
import type { Expectation } from './case-file.ts';

/** What policy says to a question that nobody asked in earnest. */
export interface Outcome extends Ground {
  readonly kind: Expectation;
  readonly because: readonly string[];
}

/** Somebody who is imagined. */
export interface ImaginedPerson {
  readonly duty?: Duty | undefined;
  readonly groups: readonly string[];
  readonly attributes: Attributes;
}

/** What they wish for; what is left out is the ordinary: noon on a Monday, a purpose in a sentence. */
export interface ImaginedWish {
  readonly minutes?: number | undefined;
  readonly heldMinutes?: number | undefined;
  readonly ticket?: string | undefined;
  readonly purposeCharacters?: number | undefined;
  readonly hourUtc?: number | undefined;
  readonly weekday?: number | undefined;
  readonly breakGlass?: boolean | undefined;
  /** The names of the callbacks that confirmed ticket and purpose. */
  readonly verified?: readonly string[] | undefined;
}

const ISSUER = 'https://idp.invalid';

/** An identity provider's word on somebody who is imagined. */
export function imaginePerson(name: string, { duty, groups, attributes }: ImaginedPerson): Principal {
  return {
    ...{ iss: ISSUER, sub: name, userName: name, displayName: name, duty, attributes },
    groups: { kind: 'listed', names: groups },
    seenAtMs: 0,
  };
}

/** A workload that is imagined, as its token would describe it. */
export function imagineWorkload(workload: {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, string>>;
}): Principal {
  const { issuer, subject, claims } = workload;
  return {
    ...{ iss: `urn:oam:workload:${issuer}`, sub: subject, userName: subject, displayName: subject },
    groups: { kind: 'listed', names: [] },
    duty: undefined,
    workload: { issuer, claims, run: undefined },
    seenAtMs: 0,
  };
}

/** A Monday. */
const MONDAY_MS: EpochMs = Date.UTC(2026, 0, 5);

const NOON = 12;

const PURPOSE_CHARACTERS = 40;

/** What policy says to a request, with all that holds whatever its rules say. */
export function askToRequest(
  policy: PolicyVersion,
  principal: Principal,
  role: Role,
  wish: ImaginedWish,
): Outcome {
  const { weekday = 1, hourUtc = NOON, heldMinutes } = wish;
  const nowMs = MONDAY_MS + (weekday - 1) * DAY_MS + hourUtc * HOUR_MS;
  const decision = judge(
    policy,
    principal,
    role,
    {
      minutes: wish.minutes ?? role.defaultMinutes,
      purpose: 'x'.repeat(wish.purposeCharacters ?? PURPOSE_CHARACTERS),
      ticket: wish.ticket,
      startsAtMs: undefined,
      breakGlass: wish.breakGlass ?? false,
      evidence: (wish.verified ?? []).map((callback) => confirmation(callback, nowMs)),
      extension: heldMinutes === undefined ? undefined : { grantId: 'imagined', heldMinutes },
    },
    nowMs,
  );
  const kinds = { granted_at_once: 'at_once', needs_approval: 'with_approval', refused: 'refused' } as const;
  const { because, by, nearest } = decision;
  return { kind: kinds[decision.kind], because, nearest, ...(by !== undefined && { by }) };
}

/** A callback's yes that counts at a moment. */
function confirmation(callback: string, nowMs: EpochMs): Evidence {
  return {
    ...{ callback, verdict: 'confirmed', atMs: nowMs, goodUntilMs: nowMs + DAY_MS },
    ...{ reason: undefined, evidenceId: undefined, ticketTitle: undefined, ticketStatus: undefined },
  };
}

/** What policy says to somebody's word on another's request: yes where it counts in one of the stages. */
export function askToApprove(
  policy: PolicyVersion,
  approver: Principal,
  requester: Principal,
  role: Role,
  minutes = role.defaultMinutes,
): Outcome {
  const teams = teamsOf(approver, policy.catalogue);
  const verdicts = role.approval.map((stage) =>
    policy.decideApproval({ approver, teams, requester, role, stage, minutes }),
  );
  const verdict = verdicts.find(({ allowed }) => allowed) ?? verdicts[0];
  if (verdict === undefined) throw new TypeError(`A role without a stage: ${role.id}`);
  return outcomeOf(verdict);
}

/** What policy says to somebody who would have another decide in their place: at all, or on a role. */
export function askToDelegate(
  policy: PolicyVersion,
  delegator: Principal,
  delegate: Principal,
  role: Role | undefined,
): Outcome {
  return outcomeOf(
    policy.decideDelegation({
      delegator,
      delegatorTeams: teamsOf(delegator, policy.catalogue),
      delegate,
      delegateTeams: teamsOf(delegate, policy.catalogue),
      team: role?.team,
    }),
  );
}

/** What policy says to somebody who would end another's access. */
export function askToRevoke(
  policy: PolicyVersion,
  revoker: Principal,
  holder: Principal,
  role: Role,
): Outcome {
  return outcomeOf(
    policy.decideRevocation({ revoker, teams: teamsOf(revoker, policy.catalogue), holder, role }),
  );
}

/** What policy says to somebody who would read the trail. */
export function askToReadAudit(policy: PolicyVersion, reader: Principal): Outcome {
  return outcomeOf(policy.decideAuditRead({ reader, teams: teamsOf(reader, policy.catalogue) }));
}

/** What policy says to somebody who would change the keys that OAM signs with. */
export function askToRotateKeys(policy: PolicyVersion, operator: Principal): Outcome {
  return outcomeOf(policy.decideKeyRotation({ operator, teams: teamsOf(operator, policy.catalogue) }));
}

function outcomeOf({
  allowed,
  ...verdict
}: Ground & { readonly allowed: boolean; readonly because: readonly string[] }): Outcome {
  return { kind: allowed ? 'allowed' : 'refused', ...verdict };
}
