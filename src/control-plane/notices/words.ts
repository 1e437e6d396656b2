import { type EpochMs } from '../../domain/time.ts';
import type { NoticeContent } from './content.ts';
import { plainLine } from './plain-line.ts';

/** A notice in words. All of it is one-line text without any format: each format escapes it for itself. */
export interface NoticeWords {
  readonly headline: string;
  /** True for what nobody should overlook. */
  readonly loud: boolean;
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  /** Where the notice opens something in the editor. */
  readonly link: { readonly label: string; readonly url: string } | undefined;
}

const NAME_CHARACTERS = 80;
const TITLE_CHARACTERS = 100;
const TEXT_CHARACTERS = 300;

/** Makes the address that opens a request, out of its nonce. */
export type LinkTo = (requestId: string, nonce: string) => string;

/** Says what a notice says. */
export function wordsOf(content: NoticeContent, requestId: string, linkTo: LinkTo): NoticeWords {
  return {
    headline: headlineOf(content),
    loud: content.kind === 'break_glass' || content.kind === 'revoke_stuck',
    facts: factsOf(content).map(([label, value]) => ({ label, value: plainLine(value, TEXT_CHARACTERS) })),
    link:
      content.nonce === undefined
        ? undefined
        : { label: 'Open in VS Code', url: linkTo(requestId, content.nonce) },
  };
}

function headlineOf(content: NoticeContent): string {
  const who = plainLine(content.requester.displayName, NAME_CHARACTERS);
  const role = plainLine(content.role.title, TITLE_CHARACTERS);
  switch (content.kind) {
    case 'request_waiting':
      return `${who} asks for: ${role}`;
    case 'request_lapsing':
      return `Still waits and lapses soon: ${who} asks for: ${role}`;
    case 'request_closed':
      return `${closedWords(content)}: ${role} for ${who}`;
    case 'break_glass':
      return `EMERGENCY ACCESS, taken without approval: ${role} by ${who}`;
    case 'break_glass_reviewed':
      return `Already reviewed${byWords(content)}, ${content.outcome?.state === 'misuse' ? 'found to be misuse' : 'found to be in order'}: ${role} by ${who}`;
    case 'revoke_stuck':
      return `ACCESS THAT CANNOT BE REMOVED: ${role} of ${who}`;
  }
}

function closedWords(content: NoticeContent): string {
  switch (content.outcome?.state) {
    case 'approved':
      return `Already handled: approved${byWords(content)}`;
    case 'denied':
      return `Already handled: denied${byWords(content)}`;
    case 'cancelled':
      return 'Already handled: taken back';
    case 'lapsed':
      return 'No longer waits: lapsed, nobody answered in time';
    default:
      return 'No longer waits';
  }
}

function byWords({ outcome }: NoticeContent): string {
  return outcome?.by === undefined ? '' : ` by ${plainLine(outcome.by, NAME_CHARACTERS)}`;
}

function factsOf(content: NoticeContent): [label: string, value: string][] {
  const { requester, role, step, lapsesAtMs, outcome, trouble } = content;
  const person: [string, string] = ['Who', `${requester.displayName} (${requester.userName})`];
  switch (content.kind) {
    case 'request_closed':
    case 'break_glass_reviewed':
      return [person, ...optional('Reason', outcome?.comment)];
    case 'revoke_stuck':
      return [person, ['Workspace', role.workspace], ...optional('What stands in the way', trouble)];
    case 'request_waiting':
    case 'request_lapsing':
    case 'break_glass':
      return [
        person,
        ['Purpose', content.purpose],
        ...optional('Ticket', content.ticket),
        ['For', windowWords(content)],
        ['It gives', role.gives],
        ['Workspace', role.workspace],
        ...optional('Waits for', step?.approvers),
        ...(step !== undefined && step.of > 1
          ? optional('Approval', `step ${step.number} of ${step.of}`)
          : []),
        ...optional('Lapses', lapsesAtMs === undefined ? undefined : momentWords(lapsesAtMs)),
      ];
  }
}

function optional(label: string, value: string | undefined): [string, string][] {
  return value === undefined || value.trim() === '' ? [] : [[label, value]];
}

function windowWords({ minutes, extension, startsAtMs }: NoticeContent): string {
  const duration = durationWords(minutes);
  if (extension) return `${duration} more than they hold now`;
  return startsAtMs === undefined
    ? `${duration}, from the moment it works`
    : `${duration}, from ${momentWords(startsAtMs)} on`;
}

function durationWords(minutes: number): string {
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return [
    ...(hours === 0 ? [] : [`${hours} ${hours === 1 ? 'hour' : 'hours'}`]),
    ...(rest === 0 && hours > 0 ? [] : [`${rest} ${rest === 1 ? 'minute' : 'minutes'}`]),
  ].join(' ');
}

function momentWords(atMs: EpochMs): string {
  const [day, time] = new Date(atMs).toISOString().split('T');
  return `${day ?? ''} ${time?.slice(0, 5) ?? ''} UTC`;
}
