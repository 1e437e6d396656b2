import type { AuditFilter, AuditRowView } from '../../protocol/audit.ts';
import type { LeaseView } from '../../protocol/leases.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { grantStateWords, type NodeWords, outlivingWords } from '../access-view/node-words.ts';
import type { Reader } from '../reader.ts';
import type { Localise } from '../localise.ts';
import { forMarkdown } from '../plain-text.ts';
import { momentWords } from '../time-words.ts';
import { eventWords } from './event-words.ts';

/** A row as a line of the view. */
export function rowWords(reader: Reader, row: AuditRowView): NodeWords {
  const { l10n, locale, nowMs } = reader;
  const who = row.actor?.displayName ?? l10n.t('OAM itself');
  const label = eventWords(l10n, row.event);
  const when = momentWords(locale, Date.parse(row.at), nowMs);
  // Its name besides: by it auditors search here, and in every other system that has the trail.
  const description = [
    who,
    ...(row.roleId === null ? [] : [row.roleId]),
    when,
    ...(label === row.event ? [] : [row.event]),
  ].join(' · ');
  const tooltip = [
    row.event,
    row.actor === null ? who : `${row.actor.displayName} (${row.actor.userName})`,
    row.at,
    ...(row.roleId === null ? [] : [l10n.t('Role: {0}', row.roleId)]),
    ...(row.requestId === null ? [] : [l10n.t('Request: {0}', row.requestId)]),
    ...(row.grantId === null ? [] : [l10n.t('Grant: {0}', row.grantId)]),
    row.sequence === null ? l10n.t('Not chained yet') : l10n.t('Row {0} of the chain', row.sequence),
  ];
  return {
    ...{ label, description, tooltip },
    icon: rowIcon(row.event),
    spoken: [label, description, ...tooltip].join(', '),
  };
}

function rowIcon(event: string): string {
  if (/\.(?:refused|failed|revoke_stuck|given_up)$/.test(event)) return 'error';
  if (/break_glass|stranger|orphan|restored/.test(event)) return 'flame';
  switch (event.split('.')[0]) {
    case 'request':
    case 'approval':
      return 'comment';
    case 'grant':
    case 'membership':
      return 'shield';
    case 'credential':
    case 'personal_token':
      return 'key';
    case 'audit':
      return 'eye';
    default:
      return 'circle-small-filled';
  }
}

/** What was searched for, in words; empty where nothing was. */
export function filterWords(l10n: Localise, filter: AuditFilter): string {
  return [
    ...(filter.event === undefined ? [] : [l10n.t('event {0}', filter.event)]),
    ...(filter.actor === undefined ? [] : [l10n.t('by {0}', filter.actor)]),
    ...(filter.grantId === undefined ? [] : [l10n.t('grant {0}', filter.grantId)]),
    ...(filter.requestId === undefined ? [] : [l10n.t('request {0}', filter.requestId)]),
    ...(filter.roleId === undefined ? [] : [l10n.t('role {0}', filter.roleId)]),
    ...(filter.from === undefined ? [] : [l10n.t('from {0}', filter.from)]),
    ...(filter.to === undefined ? [] : [l10n.t('before {0}', filter.to)]),
  ].join(', ');
}

/** One grant with all that the trail says of it. */
export interface GrantStory {
  readonly grant: GrantView;
  /** In the order in which they happened. */
  readonly rows: readonly AuditRowView[];
  readonly leases: readonly LeaseView[];
}

/** A grant from its request to its last token, as a Markdown document. What others wrote is nothing but text in it. */
export function grantStory(reader: Reader, { grant, rows, leases }: GrantStory): string {
  const { l10n, locale, nowMs } = reader;
  const at = (timestamp: string): string => momentWords(locale, Date.parse(timestamp), nowMs);
  const steps = rows.map((row) => {
    const when = whenWords(locale, row.at);
    const who = row.actor?.displayName ?? l10n.t('OAM itself');
    const place = row.sequence === null ? '' : String(row.sequence);
    const what = eventWords(l10n, row.event);
    const event = what === row.event ? what : l10n.t('{0} ({1})', what, row.event);
    return `| ${[when, event, who, detailWords(locale, row), place].map(forMarkdown).join(' | ')} |`;
  });
  const head = [l10n.t('When'), l10n.t('What'), l10n.t('Who'), l10n.t('Detail'), l10n.t('Row')];
  const tokens = leases.map((lease) =>
    l10n.t(
      '{0}: issued {1}, good until {2}, {3}',
      lease.id,
      at(lease.issuedAt),
      at(lease.expiresAt),
      leaseWords(reader, lease),
    ),
  );
  return [
    `# ${forMarkdown(l10n.t('{0}: {1}', grant.principal.displayName, grant.role.title))}`,
    `${forMarkdown(l10n.t('State: {0}', grantStateWords(reader, grant)))}. ${forMarkdown(l10n.t('Purpose: {0}', grant.purpose))}`,
    `## ${forMarkdown(l10n.t('What happened'))}`,
    [`| ${head.map(forMarkdown).join(' | ')} |`, '| --- | --- | --- | --- | --- |', ...steps].join('\n'),
    `## ${forMarkdown(l10n.t('Credentials'))}`,
    tokens.length === 0
      ? forMarkdown(l10n.t('None was issued by OAM; a member works with their own sign-in.'))
      : tokens.map((line) => `- ${forMarkdown(line)}`).join('\n'),
    '',
  ].join('\n\n');
}

function leaseWords(reader: Reader, lease: LeaseView): string {
  const { l10n, locale, nowMs } = reader;
  const at = (timestamp: string): string => momentWords(locale, Date.parse(timestamp), nowMs);
  if (lease.outlives !== null) return outlivingWords(l10n, lease.outlives, at);
  switch (lease.state) {
    case 'issued':
    case 'renewed':
      return l10n.t('good now');
    case 'expired':
      return l10n.t('expired');
    case 'revoked':
      return l10n.t('seen to be gone');
    case 'outlives':
      return l10n.t('outlives its access');
  }
}

/** Day and time to the second, which break a line between them and nowhere else. */
function whenWords(locale: string, at: number | string): string {
  const moment = new Date(at);
  return [
    moment.toLocaleDateString(locale, { dateStyle: 'medium' }),
    moment.toLocaleTimeString(locale, { timeStyle: 'medium' }),
  ]
    .map((part) => part.replaceAll(/\s/g, '\u00a0'))
    .join(' ');
}

/** What the detail of a row says, in its own words, as far as it is short. */
function detailWords(locale: string, { detail }: AuditRowView): string {
  return Object.entries(detail)
    .flatMap(([name, value]) => {
      if (typeof value === 'number' && name.endsWith('AtMs'))
        return [`${name.slice(0, -2)}: ${whenWords(locale, value)}`];
      return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
        ? [`${name}: ${shortened(String(value))}`]
        : [];
    })
    .join('; ');
}

const DETAIL_CHARACTERS = 160;

/** Of a hash its beginning, by which it is told from others; the row itself has all of it. */
function shortened(value: string): string {
  return value.replace(/\b[0-9a-f]{64}\b/g, (hash) => `${hash.slice(0, 12)}…`).slice(0, DETAIL_CHARACTERS);
}
