import { describeApprovers, namesOf } from '../../domain/approvers.ts';
import type { Grant } from '../../domain/grant.ts';
import { hasLapsed, isOpen, speakersOf, standing, windowMinutes } from '../../domain/request.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import { findPrincipals } from '../authentication/principals.ts';
import type { Change } from '../changes/change.ts';
import type { HeldGrant } from '../grants/rows.ts';
import type { StoredRequest } from '../requests/rows.ts';
import { personFinder } from '../requests/view.ts';
import type { NoticeContent } from './content.ts';

/** A notice before it is known whom it goes to. */
export interface Draft {
  /** What a channel is told of once. */
  readonly topic: string;
  readonly content: NoticeContent;
  /** How long its link opens the request; undefined where it has none. */
  readonly linkUntilMs: EpochMs | undefined;
}

type NameOf = ReturnType<typeof personFinder>;

/** That a request waits for a step's approvers; undefined where it waits for nobody's word. */
export async function draftOfWaiting(
  change: Change,
  request: StoredRequest,
  kind: 'request_waiting' | 'request_lapsing',
  round = '',
): Promise<Draft | undefined> {
  const waiting = waitsFor(request, change.nowMs);
  if (waiting === undefined) return undefined;
  const { hash, stage } = waiting;
  const awaited = request.stages[stage];
  const nameOf = await names(change, request);
  return {
    topic: `${request.id}/${kind}/${hash}/${stage}${round}`,
    content: {
      ...about(request, request.role, nameOf, kind),
      step: {
        number: stage + 1,
        of: request.stages.length,
        approvers: awaited === undefined ? '' : describeApprovers(namesOf(awaited)),
      },
      waitsFor: waiting,
    },
    linkUntilMs: request.lapsesAtMs,
  };
}

/** The ground and the step that a request waits on now. */
export function waitsFor(
  request: StoredRequest,
  nowMs: EpochMs,
): { readonly hash: string; readonly stage: number } | undefined {
  if (!isOpen(request) || hasLapsed(request, nowMs)) return undefined;
  const now = standing(request);
  return now.kind === 'waiting' ? { hash: request.hash, stage: now.stage } : undefined;
}

/** How a request ended. */
export async function draftOfClosing(change: Change, request: StoredRequest): Promise<Draft> {
  const nameOf = await names(change, request);
  const last = request.approvals.findLast(
    ({ verdict }) => verdict === (request.state === 'denied' ? 'denied' : 'approved'),
  );
  const spoken = request.state === 'approved' || request.state === 'denied' ? last : undefined;
  const comment = spoken === undefined ? request.because.join(' ') : spoken.comment;
  return {
    topic: `${request.id}/request_closed/${request.version}`,
    content: {
      ...about(request, request.role, nameOf, 'request_closed'),
      outcome: {
        state: request.state,
        ...(spoken !== undefined && {
          by: speakersOf(spoken)
            .map((key) => nameOf(key).displayName)
            .join(' for '),
        }),
        ...(comment !== undefined && request.state !== 'approved' && { comment }),
      },
    },
    linkUntilMs: undefined,
  };
}

/** Something that operations, or those who review an emergency, are told of a grant. */
export async function draftOfGrant(
  change: Change,
  request: StoredRequest,
  { id, review, trouble, version }: Pick<HeldGrant, 'id' | 'review' | 'trouble' | 'version'>,
  kind: 'break_glass' | 'break_glass_reviewed' | 'revoke_stuck',
  linkUntilMs: EpochMs | undefined,
): Promise<Draft> {
  const reviewed = review?.state === 'reviewed' ? review : undefined;
  const nameOf = await names(change, request, reviewed?.reviewer);
  const stuck = kind === 'revoke_stuck';
  return {
    topic: `${id}/${kind}${stuck ? `/${version}` : ''}`,
    content: {
      ...about(request, request.role, nameOf, kind),
      ...(stuck && trouble !== undefined && { trouble }),
      ...(kind === 'break_glass_reviewed' &&
        reviewed !== undefined && {
          outcome: { state: reviewed.verdict, by: nameOf(reviewed.reviewer).displayName },
        }),
    },
    linkUntilMs,
  };
}

async function names(
  change: Change,
  request: StoredRequest,
  ...others: (Grant['principal'] | undefined)[]
): Promise<NameOf> {
  const approvers = request.approvals.flatMap(speakersOf);
  const keys = [request.requester, ...approvers, ...others].filter((key) => key !== undefined);
  return personFinder(await findPrincipals(change.trx, keys));
}

function about(
  request: StoredRequest,
  { id, title, gives, workspace }: Role,
  nameOf: NameOf,
  kind: NoticeContent['kind'],
): NoticeContent {
  const { userName, displayName } = nameOf(request.requester);
  const waits = kind === 'request_waiting' || kind === 'request_lapsing';
  return {
    kind,
    requester: { userName, displayName },
    role: { id, title, gives, workspace },
    team: request.team,
    purpose: request.purpose,
    minutes: windowMinutes(request),
    extension: request.extension !== undefined,
    ...(request.ticket !== undefined && { ticket: request.ticket }),
    ...(request.startsAtMs !== undefined && { startsAtMs: request.startsAtMs }),
    ...(waits && { lapsesAtMs: request.lapsesAtMs }),
  };
}
