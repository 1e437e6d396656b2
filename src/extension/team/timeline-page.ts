import { escapeHtml } from '../../domain/html.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/time.ts';
import { canBeExtended, canBeReturned } from '../access-view/node-capabilities.ts';
import type { Reader } from '../reader.ts';
import { momentWords } from '../time-words.ts';
import {
  byPerson,
  endingFacts,
  endOf,
  isStuck,
  outlives,
  type TeamData,
  type TeamFact,
} from './team-data.ts';
import { type FactRow, factRows } from './team-words.ts';

/** How much of the time to come the picture shows, in hours. */
const HOURS = 24;

const SPAN_MS = HOURS * HOUR_MS;

/** What the page of the timeline tells. */
export interface TimelineContent {
  /** Undefined while it is read, or where it could not be. */
  readonly data: TeamData | undefined;
  /** What is to be said of how good the data are; empty where nothing is. */
  readonly message: string;
}

/** What the page of the timeline is made with. */
export interface TimelinePage extends TimelineContent {
  /** Fresh for each page: only what bears it runs. */
  readonly nonce: string;
  /** The source that VS Code serves the extension's own files from. */
  readonly cspSource: string;
  readonly scriptUri: string;
  readonly styleUri: string;
}

/**
 * The coming hours of a team as a page: a picture of who holds what until when, and beside it the same facts as a table,
 * with what can be done about them. Nothing in it comes from elsewhere, and what people wrote is text.
 */
export function timelinePage(reader: Reader, page: TimelinePage): string {
  const { l10n, locale } = reader;
  const title = l10n.t('The coming 24 hours of your team');
  const csp = [
    "default-src 'none'",
    `style-src ${page.cspSource}`,
    `script-src 'nonce-${page.nonce}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${escapeHtml(locale)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(csp)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="${escapeHtml(page.styleUri)}">
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<main>${timelineContent(reader, page)}</main>
<script nonce="${escapeHtml(page.nonce)}" src="${escapeHtml(page.scriptUri)}"></script>
</body>
</html>
`;
}

/**
 * What changes in the page when something happens. It takes the place of what was there, in a page that stays: whoever
 * was in it keeps their place, and a button that is just being pressed is not taken away with the page.
 */
export function timelineContent(reader: Reader, { data, message }: TimelineContent): string {
  const rows = data === undefined ? [] : factRows(reader, endingFacts(data));
  return [
    rows.length === 0 ? '' : hint(reader),
    message === '' ? '' : `<p class="message" role="status">${escapeHtml(message)}</p>`,
    data === undefined ? '' : rows.length === 0 ? empty(reader) : picture(reader, rows) + table(reader, rows),
  ].join('\n');
}

function empty({ l10n }: Reader): string {
  return `<p class="empty">${escapeHtml(l10n.t('Nobody in your teams holds anything for a time.'))}</p>`;
}

function hint({ l10n, locale, nowMs }: Reader): string {
  const words = l10n.t(
    'As of {0}. Arrow keys go through the picture, Enter goes to the line in the table.',
    momentWords(locale, nowMs, nowMs),
  );
  return `<p class="hint">${escapeHtml(words)}</p>`;
}

function picture(reader: Reader, rows: readonly FactRow[]): string {
  const { l10n, nowMs } = reader;
  const rowOf = new Map(rows.map((row) => [row.fact, row]));
  const lanes = byPerson(rows.map(({ fact }) => fact)).map(({ person, facts }) => {
    const bars = facts.flatMap((fact, index) => {
      const row = rowOf.get(fact);
      return row === undefined ? [] : [bar(reader, row, index)];
    });
    const height = facts.length * BAR_PITCH;
    return `<div class="who">${escapeHtml(person.displayName)}</div>
<svg class="lane" viewBox="0 0 ${SPAN_MS / MINUTE_MS} ${height}" height="${height}" preserveAspectRatio="none" role="group" aria-label="${escapeHtml(person.displayName)}">${grid(height)}${bars.join('')}</svg>`;
  });
  return `<section class="picture" aria-label="${escapeHtml(l10n.t('Picture'))}">
<div class="who"></div><div class="axis" aria-hidden="true">${hours(reader, nowMs)}</div>
${lanes.join('\n')}
</section>
<ul class="legend" aria-label="${escapeHtml(l10n.t('What the bars mean'))}">
${KINDS.map((kind) => `<li><svg width="28" height="12" viewBox="0 0 28 12" aria-hidden="true"><rect class="bar ${kind}" x="1" y="${kind === 'lease' ? 4 : 1}" width="26" height="${kind === 'lease' ? 4 : 10}"/></svg> ${escapeHtml(kindWords(reader, kind))}</li>`).join('')}
</ul>
`;
}

/** From the top of one bar to the top of the next. */
const BAR_PITCH = 16;

const KINDS = ['grant', 'lease', 'outliving', 'stuck'] as const;

type Kind = (typeof KINDS)[number];

function kindOf(fact: TeamFact): Kind {
  if (isStuck(fact)) return 'stuck';
  if (outlives(fact)) return 'outliving';
  return fact.kind === 'lease' ? 'lease' : 'grant';
}

function kindWords({ l10n }: Reader, kind: Kind): string {
  switch (kind) {
    case 'grant':
      return l10n.t('Access');
    case 'lease':
      return l10n.t('Token');
    case 'outliving':
      return l10n.t('Token that outlives its access');
    case 'stuck':
      return l10n.t('Access that Databricks does not let end');
  }
}

function bar(reader: Reader, row: FactRow, index: number): string {
  const { nowMs, l10n } = reader;
  const kind = kindOf(row.fact);
  const from = minutesAhead(row.beginsAtMs ?? nowMs, nowMs);
  // What has no known end, or does not end, goes on beyond the edge.
  const to = kind === 'stuck' ? SPAN_MS / MINUTE_MS : minutesAhead(row.endsAtMs ?? nowMs + SPAN_MS, nowMs);
  const width = Math.max(to - from, 4);
  const y = index * BAR_PITCH + (kind === 'lease' ? 5 : 2);
  const label = l10n.t('{0}: {1}, {2}', row.person.displayName, row.title, row.state);
  return `<rect class="bar ${kind}" x="${from}" y="${y}" width="${width}" height="${kind === 'lease' ? 6 : 12}" tabindex="-1" role="button" aria-label="${escapeHtml(`${kindWords(reader, kind)}, ${label}`)}" data-row="${escapeHtml(row.id)}"><title>${escapeHtml(label)}</title></rect>`;
}

function minutesAhead(atMs: EpochMs, nowMs: EpochMs): number {
  return Math.round(Math.min(SPAN_MS, Math.max(0, atMs - nowMs)) / MINUTE_MS);
}

function grid(height: number): string {
  return Array.from(
    { length: HOURS / 3 },
    (_, step) => `<line class="grid" x1="${step * 180}" x2="${step * 180}" y1="0" y2="${height}"/>`,
  ).join('');
}

function hours({ locale }: Reader, nowMs: EpochMs): string {
  return Array.from({ length: HOURS / 3 }, (_, step) => {
    const at = new Date(nowMs + step * 3 * HOUR_MS);
    return `<span>${escapeHtml(at.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' }))}</span>`;
  }).join('');
}

function table(reader: Reader, rows: readonly FactRow[]): string {
  const { l10n } = reader;
  const head = [l10n.t('Who'), l10n.t('What'), l10n.t('State'), l10n.t('Ends'), l10n.t('Actions')];
  return `<table>
<caption>${escapeHtml(l10n.t('The same as a table'))}</caption>
<thead><tr>${head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((row) => tableRow(reader, row)).join('\n')}
</tbody>
</table>
`;
}

function tableRow(
  { l10n, locale, nowMs }: Reader,
  { id, person, title, state, endsAtMs, fact }: FactRow,
): string {
  const ends = endsAtMs === undefined ? '' : momentWords(locale, endsAtMs, nowMs);
  return `<tr id="${escapeHtml(id)}" tabindex="-1"><th scope="row">${escapeHtml(person.displayName)}</th><td>${escapeHtml(title)}</td><td>${escapeHtml(state)}</td><td>${escapeHtml(ends)}</td><td class="actions">${actions(l10n, fact, person.displayName, title)}</td></tr>`;
}

function actions(l10n: Reader['l10n'], fact: TeamFact, who: string, what: string): string {
  if (fact.kind !== 'grant') return '';
  const button = (act: 'extend' | 'revoke', text: string, label: string): string =>
    `<button type="button" id="${escapeHtml(`${act}/${fact.grant.id}`)}" data-act="${act}" data-grant="${escapeHtml(fact.grant.id)}" aria-label="${escapeHtml(label)}">${escapeHtml(text)}</button>`;
  return [
    ...(canBeExtended(fact.grant) && endOf(fact) !== undefined
      ? [button('extend', l10n.t('Extend'), l10n.t('Extend {0} of {1}', what, who))]
      : []),
    ...(canBeReturned(fact.grant)
      ? [button('revoke', l10n.t('Revoke…'), l10n.t('Revoke {0} of {1}', what, who))]
      : []),
  ].join('');
}
