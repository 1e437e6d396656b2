import { readFile } from 'node:fs/promises';

import * as z from 'zod/mini';

import type { Logger } from '../../domain/logger.ts';

const OwedRow = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  event: z.string(),
  actor: z.nullable(z.string()),
  request_id: z.nullable(z.string()),
  grant_id: z.nullable(z.string()),
  role_id: z.nullable(z.string()),
  detail: z.string(),
  /** Of the change that it tells of. */
  transaction_id: z.optional(z.string().check(z.regex(/^\d{1,20}$/))),
});

/** A row of the audit trail while it waits beside it. */
export type OwedRow = z.infer<typeof OwedRow>;

/** The rows of a file, or undefined where there is none. */
export async function readOwedRows(file: string, logger: Logger): Promise<OwedRow[] | undefined> {
  const text = await textOf(file);
  if (text === undefined) return undefined;
  const rows: OwedRow[] = [];
  for (const line of linesOf(text)) {
    const parsed = OwedRow.safeParse(parseJson(line));
    if (parsed.success) rows.push(parsed.data);
    // Its writer was killed, or the disk was full: the change was not committed, or the row is kept elsewhere.
    else logger.warn('A line of the audit debt is cut off and is left out.');
  }
  return rows;
}

/** How many lines a file has; none where there is no file. */
export async function countLines(file: string): Promise<number> {
  return linesOf((await textOf(file)) ?? '').length;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
