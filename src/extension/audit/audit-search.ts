import * as vscode from 'vscode';

import { AUDIT_EVENTS } from '../../domain/audit-events.ts';
import { CancelledError } from '../../domain/errors.ts';
import { DAY_MS, type EpochMs, HOUR_MS } from '../../domain/time.ts';
import { AuditFilter } from '../../protocol/audit.ts';
import { ask, BACK, pick } from '../commands/steps.ts';
import type { Localise } from '../localise.ts';
import { filterWords } from './audit-words.ts';
import { eventWords } from './event-words.ts';

type Criterion = 'event' | 'actor' | 'grantId' | 'requestId' | 'roleId';

interface CriterionItem extends vscode.QuickPickItem {
  readonly by: Criterion | 'time' | 'done' | 'clear';
}

/** Families of events, and what they are about. */
function families(l10n: Localise): vscode.QuickPickItem[] {
  return [
    { label: 'grant.*', description: l10n.t('Access for a time, from its beginning to its end') },
    { label: 'request.*', description: l10n.t('Requests and what became of them') },
    { label: 'approval.*', description: l10n.t('Approvals that fell or were refused') },
    { label: 'credential.*', description: l10n.t('Credentials, issued and refused') },
    { label: 'audit.*', description: l10n.t('Who read or exported the audit trail') },
    { label: 'policy.*', description: l10n.t('Changes of policy') },
  ];
}

/**
 * Asks what is looked for, one thing after the other, until the auditor has it.
 *
 * @throws {CancelledError} where they do not want to.
 */
export async function askForFilter(before: AuditFilter, nowMs: EpochMs): Promise<AuditFilter> {
  let filter = before;
  for (;;) {
    const item = await pickCriterion(filter);
    if (item === BACK) throw new CancelledError();
    if (item.by === 'done') return filter;
    if (item.by === 'clear') filter = {};
    else if (item.by === 'time') filter = await askForTime(filter, nowMs);
    else if (item.by === 'event') filter = await askForEvent(filter);
    else filter = await askForText(filter, item.by);
  }
}

function pickCriterion(filter: AuditFilter): Promise<CriterionItem | typeof BACK> {
  const { l10n } = vscode;
  const words = filterWords(l10n, filter);
  const items: CriterionItem[] = [
    ...(words === ''
      ? []
      : [
          { by: 'done' as const, label: l10n.t('$(search) Search'), description: words },
          { by: 'clear' as const, label: l10n.t('$(clear-all) Start Over') },
        ]),
    { by: 'actor', label: l10n.t('$(person) Who…'), description: filter.actor ?? '' },
    { by: 'event', label: l10n.t('$(symbol-event) What…'), description: filter.event ?? '' },
    { by: 'time', label: l10n.t('$(calendar) When…'), description: filter.from ?? '' },
    { by: 'roleId', label: l10n.t('$(key) Role…'), description: filter.roleId ?? '' },
    { by: 'grantId', label: l10n.t('$(shield) Grant…'), description: filter.grantId ?? '' },
    { by: 'requestId', label: l10n.t('$(comment) Request…'), description: filter.requestId ?? '' },
  ];
  return pick({
    title: l10n.t('Search the Audit Trail'),
    placeholder: l10n.t('A row has to meet all of it'),
    items,
    active: undefined,
  });
}

async function askForText(filter: AuditFilter, by: Exclude<Criterion, 'event'>): Promise<AuditFilter> {
  const { l10n } = vscode;
  const prompts: Readonly<Record<typeof by, string>> = {
    actor: l10n.t('Whose doing? A user name, or the subject of the identity provider'),
    grantId: l10n.t('The id of the grant'),
    requestId: l10n.t('The id of the request'),
    roleId: l10n.t('The id of the role, as in the catalogue'),
  };
  const answer = await ask({
    title: l10n.t('Search the Audit Trail'),
    prompt: prompts[by],
    placeholder: by === 'actor' ? 'ana.silva@example.com' : '',
    value: filter[by] ?? '',
    fault: (text) =>
      fits({ [by]: text.trim() }) ? undefined : l10n.t('Write something of at most 200 characters.'),
    hasBack: true,
  });
  return answer === BACK ? filter : { ...filter, [by]: answer.trim() };
}

async function askForEvent(filter: AuditFilter): Promise<AuditFilter> {
  const { l10n } = vscode;
  const other = l10n.t('Another…');
  const picked = await pick({
    title: l10n.t('Search the Audit Trail'),
    placeholder: l10n.t('Which events? A star stands for all of a family'),
    items: [
      ...families(l10n),
      { label: l10n.t('Single events'), kind: vscode.QuickPickItemKind.Separator },
      ...AUDIT_EVENTS.map((event) => ({ label: event, description: eventWords(l10n, event) })),
      { label: other, description: l10n.t('Write its name') },
    ],
    active: undefined,
    hasBack: true,
  });
  if (picked === BACK) return filter;
  if (picked.label !== other) return { ...filter, event: picked.label };
  const answer = await ask({
    title: l10n.t('Search the Audit Trail'),
    prompt: l10n.t('The name of an event, or of a family with a star'),
    placeholder: 'grant.revoke_stuck',
    value: filter.event ?? '',
    fault: (text) =>
      fits({ event: text.trim() }) ? undefined : l10n.t('Write it like grant.active or grant.*'),
    hasBack: true,
  });
  return answer === BACK ? filter : { ...filter, event: answer.trim() };
}

async function askForTime(filter: AuditFilter, nowMs: EpochMs): Promise<AuditFilter> {
  const { l10n } = vscode;
  const since = (ms: number): string => new Date(nowMs - ms).toISOString();
  const picked = await pick({
    title: l10n.t('Search the Audit Trail'),
    placeholder: l10n.t('How far back?'),
    items: [
      { label: l10n.t('The last hour'), from: since(HOUR_MS) },
      { label: l10n.t('The last 24 hours'), from: since(DAY_MS) },
      { label: l10n.t('The last 7 days'), from: since(7 * DAY_MS) },
      { label: l10n.t('The last 30 days'), from: since(30 * DAY_MS) },
      { label: l10n.t('At any time'), from: undefined },
    ],
    active: undefined,
    hasBack: true,
  });
  return picked === BACK ? filter : { ...filter, from: picked.from };
}

function fits(filter: AuditFilter): boolean {
  return AuditFilter.safeParse(filter).success;
}
