import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Kysely } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import type { AnchorLine } from '../../protocol/audit.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { Database } from '../store/tables.ts';
import type { Sink } from './delivery.ts';
import { anchorsBehind } from './export.ts';

/** Where anchors are kept outside the store; each that is there is sent every anchor. */
export interface AnchorPlaces {
  /** A folder, best one that OAM may only add to, and that all replicas share. */
  readonly folder: string | undefined;
  readonly webhook: { readonly url: string; readonly headers: Readonly<Record<string, string>> } | undefined;
  /** Writes a line to standard output, where that is collected. */
  readonly standardOutput: ((line: string) => void) | undefined;
}

const BATCH = 100;

/** The sinks of anchors. */
export function anchorSinks(
  db: Kysely<Database>,
  transport: HttpTransport,
  { folder, webhook, standardOutput }: AnchorPlaces,
): Sink<AnchorLine>[] {
  const sink = (name: string, send: (anchors: readonly AnchorLine[]) => Promise<void>): Sink<AnchorLine> => ({
    name: `anchors/${name}`,
    behind: (after, limit) => anchorsBehind(db, after, limit),
    limit: BATCH,
    send,
  });
  return [
    ...(folder === undefined ? [] : [sink('folder', (anchors) => addToFiles(folder, anchors))]),
    ...(webhook === undefined ? [] : [sink('webhook', (anchors) => post(transport, webhook, anchors))]),
    ...(standardOutput === undefined
      ? []
      : [
          sink('standard-output', (anchors) => {
            for (const anchor of anchors) standardOutput(JSON.stringify(anchor));
            return Promise.resolve();
          }),
        ]),
  ];
}

/** A file a month, which is only added to. */
async function addToFiles(folder: string, anchors: readonly AnchorLine[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const months = Map.groupBy(anchors, ({ at }) => at.slice(0, 7));
  for (const [month, some] of months) {
    const lines = some.map((anchor) => `${JSON.stringify(anchor)}\n`).join('');
    await appendFile(path.join(folder, `anchors-${month}.jsonl`), lines, { mode: 0o600, flush: true });
  }
}

async function post(
  transport: HttpTransport,
  { url, headers }: NonNullable<AnchorPlaces['webhook']>,
  anchors: readonly AnchorLine[],
): Promise<void> {
  const { status } = await transport({
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/x-ndjson' },
    body: anchors.map((anchor) => `${JSON.stringify(anchor)}\n`).join(''),
  });
  if (status >= 200 && status < 300) return;
  throw new OamError('anchor_not_taken', 'The webhook does not take the anchors. Look at its own log.', {
    detail: `status ${status}`,
  });
}
