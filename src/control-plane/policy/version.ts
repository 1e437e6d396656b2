import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Rule } from './rules.ts';
import type {
  ApprovalFacts,
  AuditReadFacts,
  DelegationFacts,
  KeyRotationFacts,
  RequestDecision,
  RequestFacts,
  RevocationFacts,
  Verdict,
} from './facts.ts';

/** A published policy: catalogue, schema and rules that were checked together and never change. */
export interface PolicyVersion {
  /** SHA-256, in hexadecimal, over everything that decides. */
  readonly hash: string;
  readonly catalogue: Catalogue;
  decideRequest(facts: RequestFacts): RequestDecision;
  decideApproval(facts: ApprovalFacts): Verdict;
  decideDelegation(facts: DelegationFacts): Verdict;
  decideRevocation(facts: RevocationFacts): Verdict;
  decideAuditRead(facts: AuditReadFacts): Verdict;
  decideKeyRotation(facts: KeyRotationFacts): Verdict;
}

/** A version with the rules that it was made of, for those who look after the policy. */
export interface CompiledPolicy extends PolicyVersion {
  readonly rules: readonly Rule[];
}
