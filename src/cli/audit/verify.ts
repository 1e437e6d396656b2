import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { OamError } from '../../domain/errors.ts';
import { AuditKeys } from '../../protocol/audit.ts';
import { type CheckedAnchors, checkAnchors } from '../../protocol/audit-anchors.ts';
import { judge, verifyTrail } from '../../protocol/audit-verify.ts';
import type { Connection } from '../connection/connect.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { describeReport } from './report.ts';

/** What `oam audit verify` takes. */
export interface VerifyFlags {
  readonly anchors?: readonly string[];
  readonly keys?: string;
  readonly store?: string;
}

/** The trail does not hold: exit code 3, so that a script can tell it from a failure to look. */
const DOES_NOT_HOLD = 3;

/**
 * `oam audit verify`: the control plane's trail as it exports it now, or a file that it exported before, then without
 * the control plane.
 *
 * @returns the exit code.
 */
export async function verify(
  file: string | undefined,
  flags: CommonFlags & VerifyFlags,
  connect: () => Promise<Connection>,
  invocation: Invocation,
): Promise<number> {
  if (file !== undefined && flags.anchors !== undefined && flags.keys === undefined) {
    throw new UsageError('--anchors needs --keys, by which their signatures are checked.');
  }
  const connection = file === undefined ? await connect() : undefined;
  await connection?.signedIn();
  const anchors = await anchorsOf(flags, connection, invocation);
  const lines =
    connection === undefined
      ? linesOfFile(file ?? '')
      : await connection.lines.read('exportAudit', { signal: invocation.signals.stop });
  const judgement = judge(await verifyTrail(lines, anchors.anchors), anchors);
  if (flags.json) {
    invocation.answer(JSON.stringify(judgement));
  } else {
    for (const line of describeReport(judgement)) invocation.answer(line);
  }
  return judgement.holds ? 0 : DOES_NOT_HOLD;
}

async function anchorsOf(
  flags: VerifyFlags,
  connection: Connection | undefined,
  invocation: Invocation,
): Promise<CheckedAnchors> {
  const kept = flags.anchors === undefined ? undefined : await readAnchors(flags.anchors);
  const pinned = flags.keys === undefined ? undefined : await readKeys(flags.keys);
  if (connection === undefined) {
    if (kept === undefined) {
      invocation.note('Without --anchors nothing shows a trail that was made anew or cut off at its end.');
    }
    return checkAnchors(kept ?? [], pinned ?? { keys: [] }, flags.store);
  }
  if (kept === undefined || pinned === undefined) {
    invocation.note(
      "Anchors or their keys are the control plane's own copy: whoever has its database could have made both anew. " +
        'With --anchors and --keys the trail is verified against what is kept elsewhere.',
    );
  }
  const signal = invocation.signals.stop;
  const lines = kept ?? (await collect(await connection.lines.read('listAnchors', { signal })));
  const keys = pinned ?? (await connection.client.call('getAuditKeys', { signal }));
  return checkAnchors(lines, keys, flags.store);
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

async function readAnchors(paths: readonly string[]): Promise<string[]> {
  const files = (await Promise.all(paths.map(filesAt))).flat();
  const lines: string[] = [];
  for (const file of files) lines.push(...(await textOf(file)).split('\n'));
  return lines;
}

async function filesAt(where: string): Promise<string[]> {
  try {
    if (!(await stat(where)).isDirectory()) return [where];
    const names = (await readdir(where)).filter((name) => name.endsWith('.jsonl')).sort();
    return names.map((name) => path.join(where, name));
  } catch (error) {
    throw cannotRead(where, error);
  }
}

async function readKeys(file: string): Promise<AuditKeys> {
  const text = await textOf(file);
  try {
    return AuditKeys.parse(JSON.parse(text));
  } catch (error) {
    throw new OamError('keys_invalid', 'The file is not a set of keys. Get it with: oam audit keys', {
      detail: file,
      cause: error,
    });
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw cannotRead(file, error);
  }
}

async function* linesOfFile(file: string): AsyncGenerator<string> {
  const stream = createReadStream(file, 'utf8');
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    throw cannotRead(file, error);
  } finally {
    stream.destroy();
  }
}

function cannotRead(file: string, cause: unknown): OamError {
  return new OamError('file_unreadable', 'The file cannot be read. Check its name and your rights.', {
    detail: file,
    cause,
  });
}
