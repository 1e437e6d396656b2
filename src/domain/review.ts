import { OamError } from './errors.ts';
import { type PrincipalKey, samePrincipal } from './principal.ts';
import type { EpochMs } from './time.ts';

/** What somebody else may find of an access that was taken by breaking the glass. */
export const REVIEW_VERDICTS = ['ok', 'misuse'] as const;

/** One of {@link REVIEW_VERDICTS}. */
export type ReviewVerdict = (typeof REVIEW_VERDICTS)[number];

/** Access that nobody approved beforehand is looked at afterwards, by somebody else. */
export type Review =
  | { readonly state: 'pending' }
  | {
      readonly state: 'reviewed';
      readonly verdict: ReviewVerdict;
      readonly reviewer: PrincipalKey;
      readonly comment: string;
      readonly atMs: EpochMs;
    };

/** The review that a grant begins with: one that nobody approved waits for it. */
export function reviewDue(breakGlass: boolean): Review | undefined {
  return breakGlass ? { state: 'pending' } : undefined;
}

/** What a review is of: somebody's access. */
interface Reviewable {
  readonly principal: PrincipalKey;
  /** Absent where somebody approved it beforehand. */
  readonly review: Review | undefined;
}

/** A reviewer's finding as it arrives. */
export type Finding = Omit<Extract<Review, { readonly state: 'reviewed' }>, 'state'>;

/**
 * Reviews an access that was taken by breaking the glass, whether it lives or has ended. No transition: the grant goes
 * on as it does.
 *
 * @throws {OamError} `bad_request` where nothing is to be reviewed, `own_request`, `already_decided`.
 */
export function reviewGrant<G extends Reviewable>(grant: G, finding: Finding): G {
  if (grant.review === undefined) {
    throw new OamError('bad_request', 'This access was approved beforehand, so there is nothing to review.');
  }
  if (samePrincipal(grant.principal, finding.reviewer)) {
    throw new OamError('own_request', 'Nobody reviews their own access. Ask another approver.');
  }
  if (grant.review.state === 'reviewed') {
    throw new OamError('already_decided', 'This access is reviewed already. Refresh to see how.', {
      detail: grant.review.verdict,
    });
  }
  return { ...grant, review: { ...finding, state: 'reviewed' } };
}
