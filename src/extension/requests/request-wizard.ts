import { randomUUID } from 'node:crypto';

import * as vscode from 'vscode';

import type { CodeContext, RoleView } from '../../protocol/schemas.ts';
import { type AccessData } from '../access-view/access-data.ts';
import { takenBy } from '../access-view/access-nodes.ts';
import { takesRequest } from '../access-view/node-capabilities.ts';
import { credentialWords } from '../access-view/node-words.ts';
import { durationWords } from '../time-words.ts';
import { ask, askOrChoose, BACK, CHOOSE, pick } from '../commands/steps.ts';
import { codeContextWords } from './code-context.ts';
import { choosePurpose } from './purposes.ts';
import {
  minutesFault,
  offeredMinutes,
  type Outlooks,
  outlookLines,
  outlookSentence,
  parseMinutes,
  purposeFault,
  type RequestDraft,
  roleDetail,
} from './request-draft.ts';
import type { RequestMemory } from './request-memory.ts';

const STEPS = 4;

interface Said {
  role: RoleView | undefined;
  purpose: string;
  minutes: number | undefined;
  ticket: string | undefined;
  /** False once the person left it out. */
  withCode: boolean;
}

/** What {@link askForRequest} begins with. */
export interface WizardStart {
  readonly data: AccessData;
  /** Undefined where the person is yet to choose one. */
  readonly role: RoleView | undefined;
  /** What is known of what it is for. */
  readonly purpose?: string | undefined;
  readonly memory: RequestMemory;
  /** Where the code stands that the person works on. */
  readonly code: Promise<CodeContext | undefined>;
  /** What policy says to exactly what is to be sent. */
  readonly outlook: (draft: Omit<RequestDraft, 'idempotencyKey' | 'code'>) => Promise<Outlooks>;
}

/**
 * Asks for role, purpose and time, shows policy's answer, and returns what is to be sent. Every step can go back.
 *
 * @throws {CancelledError} where the person leaves.
 */
export async function askForRequest(start: WizardStart): Promise<RequestDraft> {
  const { role } = start;
  const idempotencyKey = randomUUID();
  const said: Said = {
    ...{ role, purpose: start.purpose ?? '', minutes: undefined, ticket: undefined },
    withCode: true,
  };
  const first = role === undefined ? 0 : 1;
  let step = first;
  for (;;) {
    const hasBack = step > first;
    const outcome = await STEP_QUESTIONS[step]?.(said, start, hasBack);
    if (outcome === BACK) {
      step = Math.max(first, step - 1);
    } else if (step + 1 < STEPS) {
      step++;
    } else if (said.role !== undefined && said.minutes !== undefined) {
      return {
        role: said.role,
        purpose: said.purpose,
        minutes: said.minutes,
        ticket: said.ticket,
        code: said.withCode ? await start.code : undefined,
        idempotencyKey,
      };
    }
  }
}

type Step = (said: Said, start: WizardStart, hasBack: boolean) => Promise<typeof BACK | undefined>;

const title = (): string => vscode.l10n.t('Request Access');

const STEP_QUESTIONS: readonly Step[] = [askRole, askPurpose, askTime, confirm];

async function askRole(
  said: Said,
  { data }: WizardStart,
  hasBack: boolean,
): Promise<typeof BACK | undefined> {
  const { l10n } = vscode;
  const open = data.roles.filter((role) => takesRequest(role, takenBy(role, data)));
  const closed = data.roles.filter((role) => !open.includes(role));
  const item = (role: RoleView) => ({
    label: role.title,
    description: `${role.workspace.name}, ${l10n.t('up to {0}', durationWords(l10n, role.maxMinutes))}`,
    detail: roleDetail(l10n, role),
    role,
  });
  const closedItem = (role: RoleView) => {
    const taken = takenBy(role, data);
    const why =
      taken === 'held'
        ? l10n.t('You hold it already.')
        : taken === 'asked'
          ? l10n.t('You have asked for it already.')
          : outlookSentence(l10n, role);
    return { ...item(role), iconPath: new vscode.ThemeIcon('lock'), detail: why };
  };
  for (;;) {
    const chosen = await pick({
      title: title(),
      step: 1,
      steps: STEPS,
      hasBack,
      placeholder: l10n.t('Which role do you need?'),
      items: [
        ...open.map(item),
        ...(closed.length === 0
          ? []
          : [
              {
                label: l10n.t('Not possible now'),
                kind: vscode.QuickPickItemKind.Separator,
                role: undefined,
              },
            ]),
        ...closed.map(closedItem),
      ],
      active: said.role === undefined ? undefined : (candidate) => candidate.role?.id === said.role?.id,
    });
    if (chosen === BACK) return BACK;
    if (chosen.role === undefined) continue;
    if (open.includes(chosen.role)) {
      if (said.role?.id !== chosen.role.id) said.minutes = undefined;
      said.role = chosen.role;
      return undefined;
    }
    void vscode.window.showInformationMessage(`${chosen.label}: ${chosen.detail ?? ''}`);
  }
}

async function askPurpose(
  said: Said,
  { data, memory }: WizardStart,
  hasBack: boolean,
): Promise<typeof BACK | undefined> {
  const { l10n } = vscode;
  const lastTime = said.role === undefined ? undefined : memory.lastTime(data.me, said.role.id);
  if (said.purpose === '') said.purpose = lastTime?.purpose ?? '';
  const shared = {
    title: said.role === undefined ? title() : `${title()}: ${said.role.title}`,
    step: 2,
    steps: STEPS,
  };
  for (;;) {
    const answer = await askOrChoose({
      ...shared,
      hasBack,
      prompt: l10n.t('What do you need it for? Approvers and auditors read this.'),
      placeholder: l10n.t('Compare the ranker with the new training run'),
      value: said.purpose,
      fault: (text) => purposeFault(l10n, text),
      choose: { icon: 'history', tooltip: l10n.t('Choose a purpose that you use often') },
    });
    if (answer === BACK) return BACK;
    if (answer !== CHOOSE) {
      said.purpose = answer.trim();
      return undefined;
    }
    said.purpose = (await choosePurpose(shared, memory.purposes(data.me))) ?? said.purpose;
  }
}

async function askTime(said: Said, start: WizardStart, hasBack: boolean): Promise<typeof BACK | undefined> {
  const { l10n } = vscode;
  const { role } = said;
  if (role === undefined) return BACK;
  const lastTime = start.memory.lastTime(start.data.me, role.id)?.minutes;
  const wanted = said.minutes ?? Math.min(lastTime ?? role.defaultMinutes, role.maxMinutes);
  const shared = { title: `${title()}: ${role.title}`, step: 3, steps: STEPS, hasBack };
  const other = l10n.t('Another time…');
  const chosen = await pick({
    ...shared,
    placeholder: l10n.t('For how long? It ends by itself.'),
    items: [
      ...offeredMinutes(role, wanted).map((minutes) => ({
        label: durationWords(l10n, minutes),
        ...(minutes === lastTime
          ? { description: l10n.t('as the last time') }
          : minutes === role.defaultMinutes && { description: l10n.t('usual') }),
        minutes,
      })),
      {
        label: other,
        description: l10n.t('up to {0}', durationWords(l10n, role.maxMinutes)),
        minutes: undefined,
      },
    ],
    active: (candidate) => candidate.minutes === wanted,
  });
  if (chosen === BACK) return BACK;
  if (chosen.minutes !== undefined) {
    said.minutes = chosen.minutes;
    return undefined;
  }
  const typed = await ask({
    ...shared,
    hasBack: true,
    prompt: l10n.t('For how long? At most {0}.', durationWords(l10n, role.maxMinutes)),
    placeholder: l10n.t('45m, 2h or 1h 30m'),
    value: '',
    fault: (text) => minutesFault(l10n, text, role.maxMinutes),
  });
  if (typed === BACK) return askTime(said, start, hasBack);
  said.minutes = parseMinutes(typed);
  return undefined;
}

async function confirm(said: Said, start: WizardStart, hasBack: boolean): Promise<typeof BACK | undefined> {
  const { l10n } = vscode;
  const { role, minutes, purpose, ticket: withTicket } = said;
  if (role === undefined || minutes === undefined) return BACK;
  const [outlooks, code] = await Promise.all([
    start.outlook({ role, minutes, purpose, ticket: withTicket }),
    start.code,
  ]);
  const shared = { title: `${title()}: ${role.title}`, step: STEPS, steps: STEPS };
  // A placeholder ends with the box, so that the reasons have lines of their own.
  const [policySays = '', ...reasons] = outlookLines(l10n, outlooks);
  const chosen = await pick({
    ...shared,
    hasBack,
    placeholder: policySays,
    items: [
      {
        label: l10n.t('Send Request'),
        iconPath: new vscode.ThemeIcon('send'),
        description: [
          durationWords(l10n, minutes),
          role.workspace.name,
          ...(said.ticket === undefined ? [] : [said.ticket]),
        ].join(', '),
        detail: credentialWords(l10n, role.credential),
        does: 'send' as const,
      },
      {
        label: said.ticket === undefined ? l10n.t('Add a Ticket…') : l10n.t('Change the Ticket…'),
        iconPath: new vscode.ThemeIcon('tag'),
        detail: l10n.t('For: {0}', said.purpose),
        does: 'ticket' as const,
      },
      ...(code === undefined
        ? []
        : [
            {
              label: said.withCode ? l10n.t('Leave Out the Code') : l10n.t('Send the Code Along'),
              iconPath: new vscode.ThemeIcon(said.withCode ? 'git-branch' : 'circle-slash'),
              description: said.withCode ? l10n.t('approvers see it') : l10n.t('approvers do not see it'),
              detail: codeContextWords(l10n, code),
              does: 'code' as const,
            },
          ]),
      ...(reasons.length === 0
        ? []
        : [
            {
              // A word of its own would take its room from the first reason.
              label: '',
              kind: vscode.QuickPickItemKind.Separator,
              does: undefined,
            },
            ...reasons.map((label) => ({
              label,
              iconPath: new vscode.ThemeIcon('law'),
              does: undefined,
            })),
          ]),
    ],
    active: undefined,
  });
  if (chosen === BACK) return BACK;
  if (chosen.does === 'send') return undefined;
  if (chosen.does !== 'ticket') {
    if (chosen.does === 'code') said.withCode = !said.withCode;
    return confirm(said, start, hasBack);
  }
  const ticket = await ask({
    ...shared,
    hasBack: true,
    prompt: l10n.t('The ticket that this work belongs to. Leave it empty for none.'),
    placeholder: 'ML-1234',
    value: said.ticket ?? '',
    fault: (text) => (text.trim().length > 200 ? l10n.t('Shorten it to 200 characters.') : undefined),
  });
  if (ticket !== BACK) said.ticket = ticket.trim() === '' ? undefined : ticket.trim();
  return confirm(said, start, hasBack);
}
