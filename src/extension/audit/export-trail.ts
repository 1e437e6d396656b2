import { OamError } from '../../domain/errors.ts';
import { AuditExportEnd, AuditExportRow } from '../../protocol/audit.ts';
import { ocsfMapper } from '../../protocol/audit-ocsf.ts';
import { PersonView } from '../../protocol/schemas.ts';
import { csvLine } from '../csv.ts';

/** The forms that the trail is exported in. */
export const EXPORT_FORMATS = ['ndjson', 'csv', 'ocsf'] as const;

/** One of {@link EXPORT_FORMATS}. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const CSV_HEADER = [
  ...['sequence', 'at', 'event', 'actor', 'actor_user_name', 'role_id', 'request_id', 'grant_id'],
  ...['detail', 'id', 'hash'],
];

/**
 * The lines of an export in a form. A row that is none is left out of the forms that cannot hold it.
 *
 * @throws {OamError} `export_cut_off` at its end, where the connection broke before: a part is no trail.
 */
export async function* exportedLines(
  lines: AsyncIterable<string>,
  format: ExportFormat,
): AsyncGenerator<string> {
  const convert = converterOf(format);
  let isComplete = false;
  let rows = 0;
  // Some programs take a file without this mark for one of another alphabet.
  if (format === 'csv') yield `\ufeff${csvLine(CSV_HEADER)}`;
  for await (const line of lines) {
    isComplete = isEnd(line);
    if (!isComplete) rows += 1;
    const converted = convert(line);
    if (converted !== undefined) yield converted;
  }
  if (isComplete) return;
  throw new OamError('export_cut_off', 'The export broke off before its end. Export again.', {
    detail: `after ${rows} rows`,
  });
}

function converterOf(format: ExportFormat): (line: string) => string | undefined {
  if (format === 'ndjson') return (line) => line;
  const map = ocsfMapper();
  return (line) => {
    const row = AuditExportRow.safeParse(parsed(line));
    if (!row.success) return undefined;
    return format === 'ocsf' ? JSON.stringify(map(row.data)) : csvLine(cellsOf(row.data));
  };
}

function cellsOf(row: AuditExportRow): string[] {
  const actor = PersonView.safeParse(row.actor).data;
  return [
    ...[row.sequence === null ? '' : String(row.sequence), row.at, row.event],
    ...[actor?.displayName ?? '', actor?.userName ?? ''],
    ...[row.roleId ?? '', row.requestId ?? '', row.grantId ?? ''],
    ...[JSON.stringify(row.detail), row.id, row.hash ?? ''],
  ];
}

function isEnd(line: string): boolean {
  return line.startsWith('{"end":') && AuditExportEnd.safeParse(parsed(line)).success;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
