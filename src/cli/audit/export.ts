import { open, rename, rm } from 'node:fs/promises';

import { OamError } from '../../domain/errors.ts';
import { AuditExportEnd, AuditExportRow } from '../../protocol/audit.ts';
import { ocsfMapper } from '../../protocol/audit-ocsf.ts';
import type { Connection } from '../connection/connect.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { wholeNumber } from './list.ts';

/** What `oam audit export` takes. */
export interface ExportFlags {
  readonly out?: string;
  readonly format: string;
  readonly after: string;
}

/**
 * `oam audit export`
 *
 * @throws {OamError} `export_cut_off` where the connection broke: a part of a trail is not left in the file.
 */
export async function exportTrail(
  flags: CommonFlags & ExportFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  const convert = converterOf(flags.format, invocation);
  const after = wholeNumber(flags.after, '--after');
  await connection.signedIn();
  const lines = await connection.lines.read('exportAudit', {
    query: { after },
    signal: invocation.signals.stop,
  });
  if (flags.out === undefined) {
    await copy(lines, convert, (line) => {
      invocation.answer(line);
      return Promise.resolve();
    });
    return;
  }
  const count = await intoFile(flags.out, (write) => copy(lines, convert, write));
  invocation.note(`Exported ${count} rows to ${flags.out}.`);
}

type Converter = (line: string) => string | undefined;

function converterOf(format: string, invocation: Invocation): Converter {
  if (format === 'ndjson') return (line) => line;
  if (format !== 'ocsf') throw new UsageError('--format takes ndjson or ocsf.', format);
  const map = ocsfMapper();
  return (line) => {
    const row = AuditExportRow.safeParse(JSON.parse(line));
    if (row.success) return JSON.stringify(map(row.data));
    if (!isEnd(line)) invocation.note('A row is not of the form of the trail, and is left out.');
    return undefined;
  };
}

/** Counts the rows. */
async function copy(
  lines: AsyncIterable<string>,
  convert: Converter,
  write: (line: string) => Promise<void>,
): Promise<number> {
  let rows = 0;
  let complete = false;
  for await (const line of lines) {
    complete = isEnd(line);
    if (!complete) rows += 1;
    const converted = convert(line);
    if (converted !== undefined) await write(converted);
  }
  if (complete) return rows;
  throw new OamError('export_cut_off', 'The export broke off before its end. Export again.', {
    detail: `after ${rows} rows`,
  });
}

function isEnd(line: string): boolean {
  return line.startsWith('{"end":') && AuditExportEnd.safeParse(JSON.parse(line)).success;
}

/** The file is there when all of it is. */
async function intoFile(
  file: string,
  work: (write: (line: string) => Promise<void>) => Promise<number>,
): Promise<number> {
  const part = `${file}.part`;
  try {
    const handle = await open(part, 'w', 0o600);
    let count: number;
    try {
      const stream = handle.createWriteStream({ autoClose: false });
      count = await work(
        (line) =>
          new Promise((resolve, reject) => {
            stream.write(`${line}\n`, (error) => {
              if (error) reject(error);
              else resolve();
            });
          }),
      );
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
    return count;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
