import type { AuditRowView } from '../../protocol/audit.ts';
import { PAGE_MAX_ROWS } from '../../protocol/limits.ts';
import type { Connection } from '../connection/connect.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { table } from '../table.ts';

/** What `oam audit list` takes. */
export interface ListFlags {
  readonly event?: string;
  readonly actor?: string;
  readonly grant?: string;
  readonly request?: string;
  readonly role?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: string;
}

/** `oam audit list` */
export async function listTrail(
  flags: CommonFlags & ListFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  const wanted = wholeNumber(flags.limit, '--limit');
  const filter = {
    ...{ event: flags.event, actor: flags.actor, roleId: flags.role },
    ...{ grantId: flags.grant, requestId: flags.request },
    ...{ from: moment(flags.from, '--from'), to: moment(flags.to, '--to') },
  };
  await connection.signedIn();
  const rows: AuditRowView[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null && rows.length < wanted) {
    const page = await connection.client.call('listAudit', {
      query: { ...filter, cursor, limit: Math.min(PAGE_MAX_ROWS, wanted - rows.length) },
      signal: invocation.signals.stop,
    });
    rows.push(...page.items);
    cursor = page.nextCursor;
  }
  if (flags.json) {
    for (const row of rows) invocation.answer(JSON.stringify(row));
    return;
  }
  const lines = rows.map((row) => [
    row.sequence === null ? '' : String(row.sequence),
    row.at,
    row.event,
    row.actor?.userName ?? '',
    row.roleId ?? '',
    row.grantId ?? row.requestId ?? '',
  ]);
  for (const line of table(['row', 'at', 'event', 'by', 'role', 'grant or request'], lines)) {
    invocation.answer(line);
  }
  if (cursor !== null && cursor !== undefined) invocation.note('There are more.');
}

/** A number from a flag. @throws {UsageError} */
export function wholeNumber(text: string, flag: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`${flag} takes a whole number.`, text);
}

function moment(text: string | undefined, flag: string): string | undefined {
  if (text === undefined) return undefined;
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) throw new UsageError(`${flag} takes a time like 2027-01-15T12:00Z.`, text);
  return new Date(atMs).toISOString();
}
