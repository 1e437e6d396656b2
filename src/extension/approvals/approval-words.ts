import type { GrantView, RequestView } from '../../protocol/schemas.ts';
import { canBeExtended, canBeReturned } from '../access-view/node-capabilities.ts';
import {
  credentialWords,
  grantStateWords,
  type NodeWords,
  type Reader,
  reviewWords,
} from '../access-view/node-words.ts';
import { speakerWords } from '../access-view/approver-words.ts';
import { evidenceWords } from '../requests/evidence-words.ts';
import { durationWords, momentWords, timeLeftWords } from '../time-words.ts';
import type { ApprovalNode } from './approval-tree.ts';

/** What an approver has to know of a request, line by line. */
export function requestLines({ l10n, locale, nowMs }: Reader, request: RequestView): string[] {
  const context = request.codeContext;
  const code = [context?.repository, context?.branch, context?.commit].filter((part) => part !== undefined);
  return [
    ...(request.actingFor === null
      ? []
      : [l10n.t('You decide for {0}, who named you as their delegate.', request.actingFor.displayName)]),
    ...request.approvals.map((approval) => l10n.t('Approved by {0}', speakerWords(l10n, approval))),
    l10n.t('Purpose: {0}', request.purpose),
    ...(request.ticket === null ? [] : [l10n.t('Ticket: {0}', request.ticket)]),
    ...request.evidence.map((word) => evidenceWords({ l10n, locale, nowMs }, request, word)),
    request.extends === null
      ? l10n.t('For {0}, from the moment it works', durationWords(l10n, request.minutes))
      : l10n.t('For {0} more than they hold now, without a gap', durationWords(l10n, request.minutes)),
    ...(request.startsAt === null
      ? []
      : [l10n.t('From {0} on', momentWords(locale, Date.parse(request.startsAt), nowMs))]),
    l10n.t('It gives: {0}', request.role.gives),
    l10n.t('Workspace: {0}', request.role.workspace),
    ...(request.role.credential === 'member'
      ? [l10n.t('While it lasts, their own sign-in carries it everywhere they work.')]
      : [credentialWords(l10n, request.role.credential)]),
    ...(code.length === 0 ? [] : [l10n.t('Code: {0}', code.join(' '))]),
    l10n.t('Asked {0}', momentWords(locale, Date.parse(request.createdAt), nowMs)),
    ...request.because,
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
    case 'team': {
      const label = l10n.t("Your team's access");
      const meaning = l10n.t('Access that members of your teams hold for a time');
      const description = String(node.count);
      return {
        label,
        description,
        tooltip: [meaning],
        icon: undefined,
        spoken: `${label}, ${description}, ${meaning}`,
      };
    }
    case 'teamGrant': {
      const { grant } = node;
      const label = grant.principal.displayName;
      // What is left comes first: the end of a line is cut in a narrow side bar.
      const description = l10n.t('{0} · {1}', shortStateWords(reader, grant), grant.role.title);
      const tooltip = [
        `${grant.principal.displayName} (${grant.principal.userName})`,
        l10n.t('Purpose: {0}', grant.purpose),
        grantStateWords(reader, grant),
        ...reviewWords(l10n, grant),
        ...(grant.trouble === null ? [] : [grant.trouble]),
      ];
      return {
        label,
        description,
        tooltip,
        icon: grant.review?.state === 'pending' ? 'flame' : 'account',
        spoken: [label, description, ...tooltip].join(', '),
      };
    }
  }
}

function shortStateWords(reader: Reader, grant: GrantView): string {
  return grant.state === 'active' && grant.endsAt !== null
    ? timeLeftWords(reader.l10n, Date.parse(grant.endsAt), reader.nowMs)
    : grantStateWords(reader, grant);
}

/** What can be done with a line, as flags for the manifest's menus. */
export function approvalContextValue(node: ApprovalNode): string {
  switch (node.kind) {
    case 'toApprove':
      return 'toApprove.approve.deny';
    case 'team':
      return 'team';
    case 'teamGrant':
      return [
        'teamGrant',
        ...(canBeExtended(node.grant) ? ['extend'] : []),
        ...(canBeReturned(node.grant) ? ['revoke'] : []),
      ].join('.');
  }
}
