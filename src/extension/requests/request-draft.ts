import { PURPOSE_MAX_CHARACTERS, WINDOW_MIN_MINUTES } from '../../protocol/limits.ts';
import type { CodeContext, Outlook, RoleView } from '../../protocol/schemas.ts';
import type { RequestCreate } from '../../protocol/requests.ts';
import type { Localise } from '../localise.ts';
import { approverWords } from '../access-view/approver-words.ts';
import { durationWords } from '../time-words.ts';

/** What a person says when they ask for a role. */
export interface RequestDraft {
  readonly role: RoleView;
  readonly purpose: string;
  readonly minutes: number;
  readonly ticket: string | undefined;
  /** Where the code stands that it is for, as the person has seen it. */
  readonly code: CodeContext | undefined;
  /** One per dialog: however often it is sent, it has one effect. */
  readonly idempotencyKey: string;
}

/** The message on the wire. */
export function toRequestCreate(draft: RequestDraft): RequestCreate {
  return {
    roleId: draft.role.id,
    purpose: draft.purpose.trim(),
    minutes: draft.minutes,
    ...(draft.ticket !== undefined && { ticket: draft.ticket }),
    ...(draft.code !== undefined && { codeContext: draft.code }),
  };
}

/** What is wrong with a purpose, in words, or undefined. The control plane judges again. */
export function purposeFault(l10n: Localise, purpose: string): string | undefined {
  const characters = purpose.trim().length;
  if (characters === 0) return l10n.t('Say what you need it for.');
  if (characters > PURPOSE_MAX_CHARACTERS) {
    return l10n.t('Shorten it to {0} characters; it has {1} now.', PURPOSE_MAX_CHARACTERS, characters);
  }
  return undefined;
}

const MINUTES_OF_UNIT: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1440 };

/**
 * Reads a length of time: `45`, `45m`, `2h`, `1h 30m`, `1.5 h`, `2 days`. Undefined where it is none, or not whole
 * minutes.
 */
export function parseMinutes(text: string): number | undefined {
  const clean = text.trim().toLowerCase();
  if (/^\d{1,7}$/.test(clean)) return Number(clean);
  const part = /(\d{1,7}(?:\.\d{1,3})?)\s*(m|min|mins|minutes?|h|hours?|d|days?)(?![a-z])\s*/y;
  let minutes = 0;
  while (part.lastIndex < clean.length) {
    const match = part.exec(clean);
    const unit = MINUTES_OF_UNIT[match?.[2]?.charAt(0) ?? ''];
    if (match?.[1] === undefined || unit === undefined) return undefined;
    minutes += Number(match[1]) * unit;
  }
  return clean !== '' && Number.isInteger(minutes) ? minutes : undefined;
}

/** What is wrong with a typed length of time, in words, or undefined. */
export function minutesFault(l10n: Localise, text: string, maxMinutes: number): string | undefined {
  const minutes = parseMinutes(text);
  if (minutes === undefined) return l10n.t('Write a time such as 45m, 2h or 1h 30m.');
  if (minutes < WINDOW_MIN_MINUTES) return l10n.t('Ask for at least one minute.');
  if (minutes > maxMinutes) {
    return l10n.t('Choose {0} at most.', durationWords(l10n, maxMinutes));
  }
  return undefined;
}

const USUAL_MINUTES = [1, 5, 15, 30, 60, 120, 240, 480, 1440, 2880, 10_080];

/** The times that a role offers, shortest first, its own default and what is wanted among them, never more than its maximum. */
export function offeredMinutes(
  role: Pick<RoleView, 'defaultMinutes' | 'maxMinutes'>,
  wanted = role.defaultMinutes,
): number[] {
  const offered = new Set([...USUAL_MINUTES, role.defaultMinutes, role.maxMinutes, wanted]);
  return [...offered]
    .filter((minutes) => minutes >= WINDOW_MIN_MINUTES && minutes <= role.maxMinutes)
    .sort((a, b) => a - b);
}

/** What a request would meet: where callbacks are asked and it matters what they say, both ways. */
export type Outlooks = Pick<RoleView, 'outlook' | 'ifConfirmed'>;

/** True where asking makes sense. */
export function canBeAsked(role: Outlooks): boolean {
  const { kind } = likelyOutlook(role);
  return kind === 'granted_at_once' || kind === 'needs_approval';
}

/** What a request would meet; where it hangs on a confirmation, with one: whoever asks means what they say. */
export function likelyOutlook(role: Outlooks): Outlook {
  return role.ifConfirmed?.outlook ?? role.outlook;
}

/** What policy says to a request for the role, as a text. */
export function outlookSentence(l10n: Localise, role: Outlooks): string {
  return outlookLines(l10n, role).join(' ');
}

/** What policy says to a request for the role: a sentence, then why, or what it hangs on. */
export function outlookLines(l10n: Localise, { ifConfirmed, outlook }: Outlooks): string[] {
  if (ifConfirmed === undefined) return linesOf(l10n, outlook);
  return [
    l10n.t('{0} is asked first whether ticket and purpose are right.', ifConfirmed.by.join(', ')),
    l10n.t('If yes: {0}', linesOf(l10n, ifConfirmed.outlook).join(' ')),
    l10n.t('If not: {0}', linesOf(l10n, outlook).join(' ')),
  ];
}

/** A role in a list to choose from: what policy says to it, then what it gives. Why is told before a request is sent. */
export function roleDetail(l10n: Localise, role: Outlooks & Pick<RoleView, 'gives'>): string {
  const [policySays = ''] = outlookLines(l10n, role);
  return `${policySays} ${role.gives}`;
}

function linesOf(l10n: Localise, outlook: Outlook): string[] {
  const sentence = ((): string => {
    switch (outlook.kind) {
      case 'granted_at_once':
        return l10n.t('Policy grants this at once.');
      case 'needs_approval':
        return l10n.t(
          'This needs the approval of {0}.',
          outlook.stages.map((stage) => approverWords(l10n, stage)).join(l10n.t(', then ')),
        );
      case 'refused':
        return l10n.t('Policy does not give this to you.');
      case 'unavailable':
        return l10n.t('This role is not available now.');
    }
  })();
  return [sentence, ...outlook.because];
}
