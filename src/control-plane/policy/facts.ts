import type { Principal, PrincipalKey } from '../../domain/principal.ts';
import type { ApprovalStage, Role } from '../../domain/role.ts';

/** A team that a principal belongs to, by the catalogue and the groups that the identity provider lists. */
export interface TeamMembership {
  readonly name: string;
  /** True if the principal is in the team's lead group. */
  readonly lead: boolean;
}

/** What policy is asked when somebody asks for a role. */
export interface RequestFacts {
  readonly principal: Principal;
  readonly teams: readonly TeamMembership[];
  readonly role: Role;
  /** The window asked for, in minutes; of an extension, from the beginning of the access that it extends. */
  readonly minutes: number;
  /** True where access that is held would last longer. */
  readonly extension: boolean;
  /** True for an emergency: the only way asked about is that of breaking the glass. */
  readonly breakGlass: boolean;
  readonly ticket: string | undefined;
  readonly purposeCharacters: number;
  /** The names of the callbacks that confirmed ticket and purpose. */
  readonly verified: readonly string[];
  /** 0 to 23, in UTC. */
  readonly hourUtc: number;
  /** 1 (Monday) to 7 (Sunday), in UTC. */
  readonly weekday: number;
}

/** The rule that would have come nearest to allowing something. */
export interface NearRule {
  readonly id: string;
  /** What of it does not hold, in words. */
  readonly unmet: readonly string[];
}

/** On which rules an answer rests. */
export interface Ground {
  /** Their ids; absent where something decided that holds whatever the rules say. */
  readonly by?: readonly string[];
  /** Where no rule forbids, and none allows. */
  readonly nearest?: NearRule | undefined;
}

/** What policy answers: at once, after approvals, or not. Every sentence is the policy's own. */
export type RequestDecision = Ground & RequestAnswer;

type RequestAnswer =
  | { readonly kind: 'granted_at_once'; readonly because: readonly string[] }
  | {
      readonly kind: 'needs_approval';
      readonly because: readonly string[];
      readonly stages: readonly ApprovalStage[];
    }
  | {
      readonly kind: 'refused';
      /** Why not, and the nearest rule that would have allowed. */
      readonly because: readonly string[];
    };

/** What policy is asked when somebody wants to approve (or deny) a request in one of its stages. */
export interface ApprovalFacts {
  readonly approver: Principal;
  readonly teams: readonly TeamMembership[];
  readonly requester: PrincipalKey;
  readonly role: Role;
  readonly stage: ApprovalStage;
  /** The window that would be approved, in minutes; counted as in {@link RequestFacts}. */
  readonly minutes: number;
}

/** What policy is asked when somebody names a delegate, and again whenever the delegate speaks for them. */
export interface DelegationFacts {
  readonly delegator: Principal;
  readonly delegatorTeams: readonly TeamMembership[];
  readonly delegate: Principal;
  readonly delegateTeams: readonly TeamMembership[];
  /** The team whose role is decided on; undefined where the delegate is being named. */
  readonly team: string | undefined;
}

/** What policy is asked when somebody wants to end another's grant. */
export interface RevocationFacts {
  readonly revoker: Principal;
  readonly teams: readonly TeamMembership[];
  readonly holder: PrincipalKey;
  readonly role: Role;
}

/** What policy is asked when somebody wants to read the audit trail. */
export interface AuditReadFacts {
  readonly reader: Principal;
  readonly teams: readonly TeamMembership[];
}

/** What policy is asked when somebody wants to change the keys that OAM signs with. */
export interface KeyRotationFacts {
  readonly operator: Principal;
  readonly teams: readonly TeamMembership[];
}

/** Yes or no, with the policy's reasons. */
export interface Verdict extends Ground {
  readonly allowed: boolean;
  readonly because: readonly string[];
}
