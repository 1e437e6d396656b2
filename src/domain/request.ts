import { type ApproverFacts, describeApprovers, isNamedBy, namesOf } from './approvers.ts';
import { OamError } from './errors.ts';
import type { RequestState } from './lifecycle.ts';
import { type PrincipalKey, samePrincipal } from './principal.ts';
import type { ApprovalStage } from './role.ts';
import type { EpochMs } from './time.ts';

/** Under which delegation a word is given, and whose it is. */
export interface ActingFor {
  readonly id: string;
  readonly delegator: PrincipalKey;
}

/** One approver's word on one stage of one request, bound to the hash of what the approver saw. */
export interface Approval {
  /** Index into the request's stages. */
  readonly stage: number;
  readonly approver: PrincipalKey;
  /** Present where it is somebody else's word, which the approver gave as their delegate. */
  readonly delegation?: ActingFor | undefined;
  readonly verdict: 'approved' | 'denied';
  /** The {@link AccessRequest.hash} that the approver saw. A word on another hash counts for nothing. */
  readonly requestHash: string;
  readonly comment: string | undefined;
  readonly atMs: EpochMs;
}

/** Somebody's wish for a role, on its way to a decision. */
export interface AccessRequest {
  readonly id: string;
  /** Goes up by one with every transition; a store writes only where the version is still the one that was read. */
  readonly version: number;
  readonly state: RequestState;
  readonly requester: PrincipalKey;
  readonly roleId: string;
  /** The window that was asked for: the most that can be approved. */
  readonly minutes: number;
  /** When access is to begin; undefined where it is wanted at once. */
  readonly startsAtMs: EpochMs | undefined;
  /** Set once an approver lowered the window. */
  readonly approvedMinutes: number | undefined;
  readonly stages: readonly ApprovalStage[];
  readonly approvals: readonly Approval[];
  /** See `requestHash` in `request-hash.ts`. */
  readonly hash: string;
  readonly policyVersion: string;
  readonly createdAtMs: EpochMs;
  /** When the request lapses unless it was decided. */
  readonly lapsesAtMs: EpochMs;
  /** Present exactly when the request is `approved`. */
  readonly grantId: string | undefined;
  /** What the request wants to last longer; undefined where it asks for a role anew. */
  readonly extension: ExtensionBase | undefined;
  /** True for an emergency: nobody is waited for, and somebody else looks at it afterwards. */
  readonly breakGlass: boolean;
}

/** The grant that an extension follows. */
export interface ExtensionBase {
  readonly grantId: string;
  /** How long the role will have been held without a gap when that grant would end, in minutes. */
  readonly heldMinutes: number;
}

/** Where the approvals of a request have got to. */
export type Standing =
  | { readonly kind: 'denied' }
  | { readonly kind: 'waiting'; readonly stage: number }
  | { readonly kind: 'complete' };

/** True while a request has no end. Whether it can still be decided depends on the time, too: see {@link hasLapsed}. */
export function isOpen(request: Pick<AccessRequest, 'state'>): boolean {
  return request.state === 'pending' || request.state === 'awaiting_requester';
}

/** True from the moment on at which an open request's time is over, whether or not that was written down yet. */
export function hasLapsed(request: Pick<AccessRequest, 'state' | 'lapsesAtMs'>, nowMs: EpochMs): boolean {
  return isOpen(request) && nowMs >= request.lapsesAtMs;
}

/**
 * Counts the words that were given. A single denial outweighs any number of approvals; words on another hash, a
 * requester's own word and a second word of the same approver do not count. Somebody and whoever spoke for them are one.
 */
export function standing(
  request: Pick<AccessRequest, 'stages' | 'approvals' | 'hash' | 'requester'>,
): Standing {
  const valid = request.approvals.filter(
    (approval) => approval.requestHash === request.hash && !speaksFor(approval, request.requester),
  );
  if (valid.some((approval) => approval.verdict === 'denied')) return { kind: 'denied' };
  const spoken: Approval[] = [];
  for (const [stage, { quorum }] of request.stages.entries()) {
    let count = 0;
    for (const approval of valid) {
      if (approval.stage !== stage) continue;
      if (spoken.some((earlier) => speakersOf(approval).some((key) => speaksFor(earlier, key)))) continue;
      spoken.push(approval);
      count += 1;
    }
    if (count < quorum) return { kind: 'waiting', stage };
  }
  return { kind: 'complete' };
}

/** True if somebody gave a word, or had it given by their delegate. */
export function speaksFor(word: Pick<Approval, 'approver' | 'delegation'>, person: PrincipalKey): boolean {
  return speakersOf(word).some((speaker) => samePrincipal(speaker, person));
}

/** Who gave a word and, where that was a delegate, whose it is. */
export function speakersOf({
  approver,
  delegation,
}: Pick<Approval, 'approver' | 'delegation'>): PrincipalKey[] {
  return delegation === undefined ? [approver] : [approver, delegation.delegator];
}

/** An approver's word as it arrives. */
export interface ApproverWord {
  readonly approver: PrincipalKey & ApproverFacts;
  /** Present where it is somebody else's word: the stage is then for them. */
  readonly delegation?: { readonly id: string; readonly delegator: PrincipalKey & ApproverFacts } | undefined;
  readonly comment: string | undefined;
  readonly atMs: EpochMs;
}

/** What approving needs to know besides the word. */
export interface ApprovalContext extends ApproverWord {
  /** Lowers the window; undefined leaves it. */
  readonly approvedMinutes: number | undefined;
  /** True if the facts about the requester are fresh enough to grant on. */
  readonly requesterFresh: boolean;
  /** The id that the grant gets if this word completes the request. */
  readonly grantId: string;
}

/**
 * Adds an approval. The request becomes `approved` with its grant id when this completes the last stage, and
 * `awaiting_requester` when it would but what is known about the requester is too old.
 *
 * @throws {OamError} `own_request`, `not_allowed` (not an approver of the present stage), `already_decided`,
 * `window_too_long` (an approver may only lower the window), `groups_overflowed`.
 */
export function approve<R extends AccessRequest>(request: R, context: ApprovalContext): R {
  const stage = presentStage(request, context);
  const minutes = lowered(request, context.approvedMinutes);
  const next: R = {
    ...request,
    version: request.version + 1,
    approvedMinutes: minutes,
    approvals: [...request.approvals, word(request, stage, 'approved', context)],
  };
  return settled(next, context);
}

/**
 * Denies a request, at any stage, for good.
 *
 * @throws {OamError} `own_request`, `not_allowed`, `already_decided`, `groups_overflowed`.
 */
export function deny<R extends AccessRequest>(request: R, context: ApproverWord): R {
  expectOpen(request, context.atMs);
  refuseOwn(request, context);
  const stage = request.stages.findIndex((candidate) => isNamedBy(candidate, whoseWord(context)));
  if (stage < 0) throw notAnApprover(request.stages);
  return {
    ...request,
    version: request.version + 1,
    state: 'denied',
    approvals: [...request.approvals, word(request, stage, 'denied', context)],
  };
}

/**
 * The requester takes the request back.
 *
 * @throws {OamError} `not_allowed` (somebody else's request), `already_decided`.
 */
export function cancel<R extends AccessRequest>(request: R, caller: PrincipalKey, nowMs: EpochMs): R {
  if (!samePrincipal(request.requester, caller)) {
    throw new OamError('not_allowed', 'Only the requester can cancel a request. Deny it instead.');
  }
  expectOpen(request, nowMs);
  return { ...request, version: request.version + 1, state: 'cancelled' };
}

/**
 * An unanswered request ends by itself. Returns the request unchanged where its time has not come or it was decided.
 */
export function lapse<R extends AccessRequest>(request: R, nowMs: EpochMs): R {
  if (!hasLapsed(request, nowMs)) return request;
  return { ...request, version: request.version + 1, state: 'lapsed' };
}

/** The access that an open request wants to last longer has ended: the request is without a ground. */
export function lapseBaseless<R extends AccessRequest>(request: R): R {
  if (!isOpen(request) || request.extension === undefined) return request;
  return { ...request, version: request.version + 1, state: 'lapsed' };
}

/** What completing a request needs to know. */
export type Completion = Pick<ApprovalContext, 'requesterFresh' | 'grantId' | 'atMs'>;

/**
 * Completes an open request that waits for nobody's word any more: it becomes `approved`, or `awaiting_requester`
 * where what is known about the requester is too old. A request that does wait for a word is `pending`. Unchanged
 * where there is nothing to change, and where its time is over.
 */
export function settle<R extends AccessRequest>(request: R, completion: Completion): R {
  if (!isOpen(request) || hasLapsed(request, completion.atMs)) return request;
  const next = settled(request, completion);
  return next.state === request.state ? request : { ...next, version: request.version + 1 };
}

/** What a request was judged by anew, after its role or the policy changed, and until when it can be answered from then on. */
export type NewGround = Pick<AccessRequest, 'hash' | 'policyVersion' | 'stages' | 'lapsesAtMs'>;

/**
 * Puts a request back to `pending` on new ground. The words that were given were given on other ground: they fall. One that
 * was approved waits anew, and has the time for it; one that waits still has the time that it had.
 *
 * @throws {OamError} `already_decided` where the request ended without a grant.
 */
export function reopen<R extends AccessRequest>(request: R, ground: NewGround): R {
  if (!isOpen(request) && request.state !== 'approved') throw alreadyDecided(request.state);
  return {
    ...request,
    ...ground,
    lapsesAtMs: isOpen(request) ? request.lapsesAtMs : ground.lapsesAtMs,
    version: request.version + 1,
    state: 'pending',
    approvals: [],
    approvedMinutes: undefined,
    grantId: undefined,
  };
}

/**
 * Policy, asked again at the decision, refuses what it had let pass: the request ends as denied, by nobody's word.
 *
 * @throws {OamError} `already_decided`.
 */
export function refuse<R extends AccessRequest>(request: R): R {
  if (!isOpen(request)) throw alreadyDecided(request.state);
  return { ...request, version: request.version + 1, state: 'denied' };
}

/** The stage whose approvers can speak now; undefined where nobody is waited for. */
export function awaitedStage(request: AccessRequest): ApprovalStage | undefined {
  if (!isOpen(request)) return undefined;
  const now = standing(request);
  return now.kind === 'waiting' ? request.stages[now.stage] : undefined;
}

/** The window that the grant gets, in minutes. */
export function windowMinutes(request: Pick<AccessRequest, 'minutes' | 'approvedMinutes'>): number {
  return request.approvedMinutes ?? request.minutes;
}

/**
 * How long the role would be held without a gap, in minutes: what policy judges. An extension counts from the
 * beginning of the access that it extends, so that a rule for short windows is not passed by in small steps.
 */
export function heldMinutes(request: {
  readonly minutes: number;
  readonly extension: ExtensionBase | undefined;
}): number {
  return (request.extension?.heldMinutes ?? 0) + request.minutes;
}

function settled<R extends AccessRequest>(
  request: R,
  { requesterFresh, grantId }: Pick<Completion, 'requesterFresh' | 'grantId'>,
): R {
  if (standing(request).kind !== 'complete') return { ...request, state: 'pending' };
  return requesterFresh
    ? { ...request, state: 'approved', grantId }
    : { ...request, state: 'awaiting_requester' };
}

function presentStage(request: AccessRequest, arriving: ApproverWord): number {
  expectOpen(request, arriving.atMs);
  refuseOwn(request, arriving);
  const now = standing(request);
  if (now.kind !== 'waiting') throw alreadyDecided(request.state);
  const given = request.approvals.find((earlier) =>
    speakersOf(arriving).some((key) => speaksFor(earlier, key)),
  );
  if (given !== undefined) {
    const own = given.delegation === undefined && arriving.delegation === undefined;
    throw new OamError(
      'already_decided',
      own
        ? 'You have already approved this request. It waits for another approver; there is nothing more to do.'
        : 'This word has been given already: somebody and their delegate count once. It waits for another approver.',
    );
  }
  const stage = request.stages[now.stage];
  if (stage === undefined || !isNamedBy(stage, whoseWord(arriving))) {
    throw notAnApprover(stage === undefined ? [] : [stage]);
  }
  return now.stage;
}

function lowered(request: AccessRequest, asked: number | undefined): number | undefined {
  const present = windowMinutes(request);
  if (asked === undefined || asked === present) return request.approvedMinutes;
  if (asked > present) {
    throw new OamError(
      'window_too_long',
      'An approver can shorten the window, not lengthen it. Approve it as it is, or for less.',
      { detail: `at most ${present} minutes` },
    );
  }
  return asked;
}

function word(
  request: AccessRequest,
  stage: number,
  verdict: Approval['verdict'],
  { approver, delegation, comment, atMs }: ApproverWord,
): Approval {
  return {
    stage,
    approver: keyOf(approver),
    ...(delegation && { delegation: { id: delegation.id, delegator: keyOf(delegation.delegator) } }),
    verdict,
    requestHash: request.hash,
    comment,
    atMs,
  };
}

/** Whom the stage has to be for. */
function whoseWord({ approver, delegation }: ApproverWord): PrincipalKey & ApproverFacts {
  return delegation?.delegator ?? approver;
}

function keyOf({ iss, sub }: PrincipalKey): PrincipalKey {
  return { iss, sub };
}

function refuseOwn({ requester }: AccessRequest, arriving: ApproverWord): void {
  if (!speakersOf(arriving).some((voice) => samePrincipal(voice, requester))) return;
  throw new OamError(
    'own_request',
    'Nobody decides on their own request. Ask another approver, or cancel it.',
  );
}

function expectOpen(request: AccessRequest, nowMs: EpochMs): void {
  if (hasLapsed(request, nowMs)) throw alreadyDecided('lapsed');
  if (!isOpen(request)) throw alreadyDecided(request.state);
}

function notAnApprover(stages: readonly ApprovalStage[]): OamError {
  return new OamError('not_allowed', 'This request waits for other approvers. Ask one of them to decide.', {
    detail: stages.map((stage) => describeApprovers(namesOf(stage))).join('; '),
  });
}

function alreadyDecided(state: RequestState): OamError {
  return new OamError('already_decided', 'This request is decided already. Refresh to see how.', {
    detail: state,
  });
}
