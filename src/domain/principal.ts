import type { EpochMs } from './time.ts';

/** What somebody's work is, from the identity provider's attributes. Policy keeps duties apart. */
export const DUTIES = ['data-scientist', 'ops-engineer', 'auditor', 'lead'] as const;

/** One of {@link DUTIES}. */
export type Duty = (typeof DUTIES)[number];

/**
 * The identity provider's word on somebody's groups. A list that overflowed is a fact of its own and is never
 * read as "no groups".
 */
export type GroupFacts =
  { readonly kind: 'listed'; readonly names: readonly string[] } | { readonly kind: 'overflowed' };

/** What else the identity provider says of somebody: the values of each attribute, by its configured name. */
export type Attributes = Readonly<Record<string, readonly string[]>>;

/** Facts about a principal are fresh for this many minutes when they came with a token. */
export const TOKEN_FACTS_FRESH_MINUTES = 60;

/** Facts about a principal are fresh for this many minutes after the directory that pushed them last spoke. */
export const DIRECTORY_FACTS_FRESH_MINUTES = 15;

/** A workload that is one run of something, and lives as long as it does. */
export interface WorkloadRun {
  /** Names the run among all runs of its issuer. */
  readonly key: string;
  /** Its access ends this many minutes after the run last proved that it lives. */
  readonly graceMinutes: number;
}

/** What a workload's own token says of it. */
export interface WorkloadFacts {
  /** The name under which its issuer is configured. */
  readonly issuer: string;
  /** The claims that rules may speak of, by their configured names. */
  readonly claims: Readonly<Record<string, string>>;
  /** Absent where the workload is not a run: a service account, a role of a cloud. */
  readonly run: WorkloadRun | undefined;
}

/** A person or a workload, keyed by `iss` and `sub`. */
export interface Principal {
  /** The issuer that vouches for the subject. */
  readonly iss: string;
  /** The subject, unique within the issuer and never reused. */
  readonly sub: string;
  /** For people to read: user name or e-mail. Never a key. */
  readonly userName: string;
  readonly displayName: string;
  readonly groups: GroupFacts;
  readonly duty: Duty | undefined;
  /** Only what the token said, and in the form that it has to have: what is not here matches nothing. */
  readonly attributes?: Attributes | undefined;
  /** Present exactly where this is a workload. */
  readonly workload?: WorkloadFacts | undefined;
  /** When the facts above were vouched for, in epoch milliseconds. */
  readonly seenAtMs: EpochMs;
  /**
   * When a token last vouched for them: groups may have followed the directory since, duty and attributes have not. Where
   * it is absent, all facts are of one age.
   */
  readonly tokenSeenAtMs?: EpochMs | undefined;
}

/** The part of a principal that identifies it. */
export type PrincipalKey = Pick<Principal, 'iss' | 'sub'>;

/** True if both name the same principal. */
export function samePrincipal(a: PrincipalKey, b: PrincipalKey): boolean {
  return a.iss === b.iss && a.sub === b.sub;
}
