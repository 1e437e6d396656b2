import type { BackgroundView } from '../../protocol/background.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import { speakerWords } from '../access-view/approver-words.ts';
import type { Reader } from '../reader.ts';
import { forMarkdown, quotedMarkdown } from '../plain-text.ts';
import { momentWords } from '../time-words.ts';
import { codeLines, gainLines, ticketLines, windowLines } from './approval-words.ts';
import { earlierDenialWords, earlierGrantWords, historyLines, requesterLines } from './background-words.ts';
import { codeLink } from './code-link.ts';
import { stateWords } from './request-link.ts';

/** What is shown of one request. */
export interface ShownRequest {
  readonly request: RequestView;
  /** Undefined where it could not be read. */
  readonly background: BackgroundView | undefined;
  /** True while it waits for the reader. */
  readonly waitsForReader: boolean;
}

/** All that an approver needs, as a Markdown document. What others wrote is nothing but text in it. */
export function requestDocument(
  reader: Reader,
  { request, background, waitsForReader }: ShownRequest,
): string {
  const { l10n, locale, nowMs } = reader;
  const { requester, role } = request;
  const heading = (text: string): string => `## ${forMarkdown(text)}`;
  const list = (lines: readonly string[]): string => lines.map((line) => `- ${forMarkdown(line)}`).join('\n');
  const link = request.codeContext === null ? undefined : codeLink(request.codeContext);
  const asked = [
    l10n.t('Asked {0}', momentWords(locale, Date.parse(request.createdAt), nowMs)),
    ...(waitsForReader ? [l10n.t('Approve or deny it on its line under “Approvals”.')] : []),
  ].join('. ');
  const parts = [
    `# ${forMarkdown(l10n.t('{0} asks for {1}', requester.displayName, role.title))}`,
    `**${forMarkdown(waitsForReader ? waitingWords(reader, request) : stateWords(l10n, request))}** ${forMarkdown(asked)}`,
    heading(l10n.t('Who')),
    list([
      `${requester.displayName} (${requester.userName})`,
      ...(background === undefined ? [] : requesterLines(reader, background)),
    ]),
    heading(l10n.t('What it gives')),
    list(gainLines(reader, request)),
    heading(l10n.t('Why')),
    quotedMarkdown(request.purpose),
    list(ticketLines(reader, request)),
    heading(l10n.t('How long')),
    list(windowLines(reader, request)),
    ...(request.codeContext === null
      ? []
      : [
          heading(l10n.t('Code')),
          list(codeLines(reader, request)),
          ...(link === undefined
            ? []
            : [
                `[${forMarkdown(l10n.t('Look at the changes on {0}', link.host))}](<${link.url.replace(/[<>\s]/g, '')}>)`,
              ]),
        ]),
    heading(l10n.t('What policy says')),
    list(
      request.because.length === 0 ? [l10n.t('Policy gives no reason of its own.')] : [...request.because],
    ),
    ...(request.approvals.length === 0
      ? []
      : [
          heading(l10n.t('What approvers said')),
          list(request.approvals.map((word) => wordLine(reader, word))),
        ]),
    heading(l10n.t('Before')),
    ...(background === undefined
      ? [list([l10n.t('What they asked before could not be read. Open this again to try once more.')])]
      : [
          list(historyLines(reader, background)),
          ...(background.grants.length === 0
            ? []
            : [
                forMarkdown(l10n.t('Held recently:')),
                list(background.grants.map((grant) => earlierGrantWords(reader, grant))),
              ]),
          ...(background.denials.length === 0
            ? []
            : [
                forMarkdown(l10n.t('Denied recently:')),
                list(background.denials.map((denial) => earlierDenialWords(reader, denial))),
              ]),
        ]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function waitingWords({ l10n }: Reader, { actingFor }: RequestView): string {
  return actingFor === null
    ? l10n.t('Waits for your approval.')
    : l10n.t('Waits for your approval, for {0}, who named you as their delegate.', actingFor.displayName);
}

function wordLine({ l10n, locale, nowMs }: Reader, word: RequestView['approvals'][number]): string {
  const who = speakerWords(l10n, word);
  const when = momentWords(locale, Date.parse(word.at), nowMs);
  const said =
    word.verdict === 'approved'
      ? l10n.t('Approved by {0}, {1}', who, when)
      : l10n.t('Denied by {0}, {1}', who, when);
  return word.comment === null ? said : `${said}: ${word.comment}`;
}
