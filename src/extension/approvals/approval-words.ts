import type { BackgroundView } from '../../protocol/background.ts';
import type { GrantView, RequestView } from '../../protocol/schemas.ts';
import { isOpenRequest } from '../access-view/access-data.ts';
import { canBeReturned } from '../access-view/node-capabilities.ts';
import {
  credentialWords,
  grantStateWords,
  type NodeWords,
  reviewWords,
  sensitivityWords,
} from '../access-view/node-words.ts';
import type { Reader } from '../reader.ts';
import { speakerWords } from '../access-view/approver-words.ts';
import { evidenceWords } from '../requests/evidence-words.ts';
import type { Localise } from '../localise.ts';
import { durationWords, momentWords, timeLeftWords } from '../time-words.ts';
import type { ApprovalNode, ApprovalSection } from './approval-nodes.ts';
import { historyLines, requesterLines } from './background-words.ts';
import { stateWords } from './request-link.ts';

/** What a yes would give, in plain words. */
export function gainLines({ l10n }: Reader, { role }: RequestView): string[] {
  return [
    role.gives,
    l10n.t('Workspace: {0}', role.workspace),
    sensitivityWords(l10n, role.sensitivity),
    role.credential === 'member'
      ? l10n.t('While it lasts, their own sign-in carries it everywhere they work.')
      : credentialWords(l10n, role.credential),
  ];
}

/** The ticket, and whether anybody who knows confirmed it. */
export function ticketLines(reader: Reader, request: RequestView): string[] {
  const { l10n } = reader;
  if (request.evidence.length > 0)
    return request.evidence.map((word) => evidenceWords(reader, request, word));
  return [
    request.ticket === null
      ? l10n.t('No ticket is named.')
      : l10n.t('Ticket: {0}, which nobody verified', request.ticket),
  ];
}

/** For how long, and from when on. */
export function windowLines({ l10n, locale, nowMs }: Reader, request: RequestView): string[] {
  return [
    request.extends === null
      ? l10n.t('For {0}, from the moment it works', durationWords(l10n, request.minutes))
      : l10n.t('For {0} more than they hold now, without a gap', durationWords(l10n, request.minutes)),
    ...(request.approvedMinutes === null
      ? []
      : [l10n.t('An approver lowered it to {0}.', durationWords(l10n, request.approvedMinutes))]),
    ...(request.startsAt === null
      ? []
      : [l10n.t('From {0} on', momentWords(locale, Date.parse(request.startsAt), nowMs))]),
    ...(isOpenRequest(request)
      ? [l10n.t('Without an answer it lapses {0}', momentWords(locale, Date.parse(request.lapsesAt), nowMs))]
      : []),
  ];
}

/** Where in the code the need arose, by the requester's word. */
export function codeLines({ l10n }: Reader, { codeContext }: RequestView): string[] {
  return [
    ...(codeContext?.repository === undefined ? [] : [l10n.t('Repository: {0}', codeContext.repository)]),
    ...(codeContext?.branch === undefined ? [] : [l10n.t('Branch: {0}', codeContext.branch)]),
    ...(codeContext?.commit === undefined ? [] : [l10n.t('Commit: {0}', codeContext.commit)]),
  ];
}

/** What an approver has to know of a request, line by line. */
export function requestLines(reader: Reader, request: RequestView, background?: BackgroundView): string[] {
  const { l10n, locale, nowMs } = reader;
  return [
    ...(request.actingFor === null
      ? []
      : [l10n.t('You decide for {0}, who named you as their delegate.', request.actingFor.displayName)]),
    ...(background === undefined ? [] : [requesterLines(reader, background).join(' · ')]),
    ...request.approvals.map((approval) => l10n.t('Approved by {0}', speakerWords(l10n, approval))),
    l10n.t('Purpose: {0}', request.purpose),
    ...ticketLines(reader, request),
    ...windowLines(reader, request),
    l10n.t('It gives: {0}', request.role.gives),
    ...gainLines(reader, request).slice(1),
    ...codeLines(reader, request),
    l10n.t('Asked {0}', momentWords(locale, Date.parse(request.createdAt), nowMs)),
    ...request.because,
    ...(background === undefined ? [] : historyLines(reader, background)),
  ];
}

/** How a line of the view "Approvals" reads. */
export function approvalWords(reader: Reader, node: ApprovalNode): NodeWords {
  const { l10n } = reader;
  switch (node.kind) {
    case 'toApprove': {
      const { request } = node;
      const tooltip = [
        `${request.requester.displayName} (${request.requester.userName})`,
        ...requestLines(reader, request),
      ];
      const label = request.requester.displayName;
      const duration = durationWords(l10n, request.minutes);
      const time = request.extends === null ? duration : l10n.t('{0} more', duration);
      const what = l10n.t('{0} · {1}', request.role.title, time);
      const description =
        request.actingFor === null ? what : l10n.t('{0} · for {1}', what, request.actingFor.displayName);
      return {
        label,
        description,
        tooltip,
        icon: 'person',
        spoken: [label, description, ...tooltip].join(', '),
      };
    }
    case 'section': {
      const [label, meaning] = sectionWords(l10n, node.section);
      const description = String(node.count);
      return {
        label,
        description,
        tooltip: [meaning],
        icon: undefined,
        spoken: `${label}, ${description}, ${meaning}`,
      };
    }
    case 'review': {
      const { grant } = node;
      const label = grant.principal.displayName;
      const description = l10n.t('{0} · {1}', grant.role.title, shortStateWords(reader, grant));
      const tooltip = [
        `${grant.principal.displayName} (${grant.principal.userName})`,
        ...reviewWords(l10n, grant),
        l10n.t('Purpose: {0}', grant.purpose),
        l10n.t('Taken {0}', momentWords(reader.locale, Date.parse(grant.createdAt), reader.nowMs)),
        grantStateWords(reader, grant),
      ];
      return {
        label,
        description,
        tooltip,
        icon: 'flame',
        spoken: [label, description, ...tooltip].join(', '),
      };
    }
    case 'handled': {
      const { request } = node;
      const label = request.requester.displayName;
      const description = l10n.t('{0} · {1}', outcomeWords(l10n, request), request.role.title);
      const tooltip = [stateWords(l10n, request)];
      return {
        label,
        description,
        tooltip,
        icon: 'pass',
        spoken: [label, description, ...tooltip].join(', '),
      };
    }
  }
}

function outcomeWords(l10n: Localise, { state, approvals }: RequestView): string {
  const last = approvals.findLast(({ verdict }) => verdict === state)?.approver.displayName;
  switch (state) {
    case 'approved':
      return last === undefined ? l10n.t('approved') : l10n.t('approved by {0}', last);
    case 'denied':
      return last === undefined ? l10n.t('denied') : l10n.t('denied by {0}', last);
    case 'cancelled':
      return l10n.t('taken back');
    case 'lapsed':
      return l10n.t('unanswered');
    case 'pending':
    case 'awaiting_requester':
      return l10n.t('waits for others');
  }
}

function shortStateWords(reader: Reader, grant: GrantView): string {
  return grant.state === 'active' && grant.endsAt !== null
    ? timeLeftWords(reader.l10n, Date.parse(grant.endsAt), reader.nowMs)
    : grantStateWords(reader, grant);
}

function sectionWords(l10n: Localise, section: ApprovalSection): [string, string] {
  switch (section) {
    case 'reviews':
      return [
        l10n.t('Emergency access to review'),
        l10n.t('Taken without approval: say afterwards what you think of it'),
      ];
    case 'handled':
      return [l10n.t('Recently handled'), l10n.t('What waited for you, and was settled by somebody else')];
  }
}

/** What can be done with a line, as flags for the manifest's menus. */
export function approvalContextValue(node: ApprovalNode): string {
  switch (node.kind) {
    case 'toApprove':
      return 'toApprove.show.approve.deny';
    case 'section':
      return node.section;
    case 'handled':
      return 'handled.show';
    case 'review':
      return ['reviewed.review', ...(canBeReturned(node.grant) ? ['revoke'] : [])].join('.');
  }
}
