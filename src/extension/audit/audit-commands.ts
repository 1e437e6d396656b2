import * as vscode from 'vscode';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Clock } from '../../domain/time.ts';
import { AuditRowView } from '../../protocol/audit.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { Reader } from '../reader.ts';
import { choose } from '../commands/choose.ts';
import { withCancellableProgress } from '../commands/progress.ts';
import type { CommandTable } from '../commands/register.ts';
import type { SignedInState } from '../connection/connection.ts';
import type { PinMemento } from '../connection/pinned-trust.ts';
import { AUDIT_VIEW } from '../product.ts';
import { askWhere, tellOfFile } from '../save-file.ts';
import type { SnapshotDocuments } from '../snapshot-documents.ts';
import type { AuditTrail } from './audit-trail.ts';
import { eventWords } from './event-words.ts';
import type { ExportFormat } from './export-trail.ts';
import { KeptAnchors } from './kept-anchors.ts';

/** What the commands on the trail need. */
export interface AuditCommandParts {
  readonly trail: AuditTrail;
  readonly documents: SnapshotDocuments;
  readonly memento: PinMemento;
  readonly signedIn: () => SignedInState;
  readonly clock: Clock;
}

const OnRow = z.object({ row: AuditRowView });

/** What can be done with the trail. What is heavy is loaded when it is asked for. */
export function auditCommands({
  trail,
  documents,
  memento,
  signedIn,
  clock,
}: AuditCommandParts): Pick<
  CommandTable,
  | 'searchAudit'
  | 'clearAuditSearch'
  | 'moreAuditRows'
  | 'showAuditRow'
  | 'followGrant'
  | 'verifyAudit'
  | 'exportAudit'
> {
  const reader = (): Reader => ({ l10n: vscode.l10n, locale: vscode.env.language, nowMs: clock.nowMs() });

  const chooseRow = (argument: unknown, fits: (row: AuditRowView) => boolean): Promise<AuditRowView> => {
    const called = OnRow.safeParse(argument).data?.row;
    if (called !== undefined) return Promise.resolve(called);
    return choose(
      trail.state.kind === 'read' ? trail.state.rows.filter(fits) : [],
      ({ event, actor, at }) => ({
        label: eventWords(vscode.l10n, event),
        description: event,
        detail: `${actor?.userName ?? ''} ${at}`.trim(),
      }),
      vscode.l10n.t('Which row?'),
      vscode.l10n.t('No such row is shown. Search the trail first.'),
    );
  };

  const showing = <T>(work: () => Promise<T>): Thenable<T> =>
    vscode.window.withProgress({ location: { viewId: AUDIT_VIEW } }, work);

  return {
    async searchAudit() {
      const { askForFilter } = await import('./audit-search.ts');
      const filter = await askForFilter(trail.filter, clock.nowMs());
      await vscode.commands.executeCommand(`${AUDIT_VIEW}.focus`);
      await showing(() => trail.search(filter));
    },
    async clearAuditSearch() {
      await showing(() => trail.search({}));
    },
    async moreAuditRows() {
      await showing(() => trail.more());
    },
    async showAuditRow(argument) {
      const row = await chooseRow(argument, () => true);
      await documents.showText(`${row.event}.json`, `${JSON.stringify(row, undefined, 2)}\n`);
    },
    async followGrant(argument) {
      const { grantId } = await chooseRow(argument, (row) => row.grantId !== null);
      if (grantId === null) {
        throw new OamError('no_grant', 'This row is about no access. Choose a row that names a grant.');
      }
      const story = await withCancellableProgress(vscode.l10n.t('Following the grant'), (signal) =>
        readStory(signedIn().client, grantId, signal),
      );
      const { grantStory } = await import('./audit-words.ts');
      const { grant } = story;
      await documents.showPage(
        `${grant.principal.displayName} · ${grant.role.title}`,
        grantStory(reader(), story),
      );
    },
    async verifyAudit() {
      const { url, client, caller } = signedIn();
      const [{ verifyHere }, { judgementDocument, judgementWords }, lines] = await Promise.all([
        import('./verify-trail.ts'),
        import('./verify-words.ts'),
        linesClient(caller),
      ]);
      const { judgement, grounds } = await withCancellableProgress(
        vscode.l10n.t('Verifying the audit trail'),
        (signal) => verifyHere({ url, client, lines, kept: new KeptAnchors(memento) }, signal),
      );
      await documents.showPage(
        vscode.l10n.t('Audit trail verified'),
        judgementDocument(reader(), judgement, grounds),
      );
      // That it holds, the page says.
      if (!judgement.holds) void vscode.window.showErrorMessage(judgementWords(vscode.l10n, judgement));
    },
    async exportAudit() {
      const format = await chooseFormat();
      const uri = await askWhere(`audit-trail.${ENDINGS[format]}`, format, ENDINGS[format]);
      const [{ exportedLines }, { writeLines }, lines] = await Promise.all([
        import('./export-trail.ts'),
        import('./write-lines.ts'),
        linesClient(signedIn().caller),
      ]);
      await withCancellableProgress(vscode.l10n.t('Exporting the audit trail'), async (signal) => {
        await writeLines(uri, exportedLines(await lines.read('exportAudit', { signal }), format));
      });
      void tellOfFile(uri, vscode.l10n.t('The audit trail is exported. The export is itself a row of it.'));
    },
  };
}

const ENDINGS: Readonly<Record<ExportFormat, string>> = { ndjson: 'ndjson', csv: 'csv', ocsf: 'json' };

async function chooseFormat(): Promise<ExportFormat> {
  const { l10n } = vscode;
  const { format } = await choose(
    [
      {
        format: 'ndjson' as const,
        label: l10n.t('One JSON object a line'),
        detail: l10n.t('The form that can be verified, also without the control plane'),
      },
      {
        format: 'csv' as const,
        label: 'CSV',
        detail: l10n.t('For a spreadsheet; nothing in it runs as a formula'),
      },
      { format: 'ocsf' as const, label: 'OCSF', detail: l10n.t('Events for a SIEM, one JSON object a line') },
    ],
    ({ label, detail }) => ({ label, detail }),
    l10n.t('In which form?'),
    '',
  );
  return format;
}

async function linesClient(caller: SignedInState['caller']) {
  const [{ createLinesClient }, { axiosStream }] = await Promise.all([
    import('../../protocol/lines.ts'),
    import('../../protocol/transport.ts'),
  ]);
  return createLinesClient({ ...caller, stream: axiosStream() });
}

async function readStory(client: ControlPlaneClient, grantId: string, signal: AbortSignal) {
  const grant = await client.call('getGrant', { params: { id: grantId }, signal });
  const [ofGrant, ofRequest, leases] = await Promise.all([
    allRows((cursor) => client.call('listAudit', { query: { grantId, limit: 200, ...cursor }, signal })),
    allRows((cursor) =>
      client.call('listAudit', { query: { requestId: grant.requestId, limit: 200, ...cursor }, signal }),
    ),
    allRows((cursor) =>
      client.call('listLeases', { params: { id: grantId }, query: { limit: 200, ...cursor }, signal }),
    ),
  ]);
  const rows = new Map([...ofRequest, ...ofGrant].map((row) => [row.id, row]));
  // By the chain, where it knows; else by the time.
  const inOrder = [...rows.values()].sort(
    (a, b) => (a.sequence ?? Infinity) - (b.sequence ?? Infinity) || a.at.localeCompare(b.at),
  );
  return { grant, rows: inOrder, leases: leases.reverse() };
}

/** More pages than one grant has. */
const MAX_PAGES = 50;

async function allRows<Row>(
  read: (cursor: { cursor?: string }) => Promise<{ items: Row[]; nextCursor: string | null }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: { cursor?: string } = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { items, nextCursor } = await read(cursor);
    rows.push(...items);
    if (nextCursor === null) break;
    cursor = { cursor: nextCursor };
  }
  return rows;
}
