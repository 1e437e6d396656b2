import type { Kysely } from 'kysely';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { AuditExportRow } from '../../protocol/audit.ts';
import { PersonView } from '../../protocol/schemas.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { Database } from '../store/tables.ts';
import type { Placed, Sink } from './delivery.ts';
import { exportRow } from './rows.ts';

/** A receiver of OpenTelemetry logs (OTLP/HTTP in JSON): a collector, Loki, Grafana Cloud. */
export interface LogsReceiver {
  /** The whole address, usually with `/v1/logs` at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

type ChainedRow = AuditExportRow & Placed;

const BATCH = 500;

/** The sink of rows as OpenTelemetry logs. Rows that came twice have the same `oam.event.id`. */
export function openTelemetrySink(
  db: Kysely<Database>,
  transport: HttpTransport,
  logger: Logger,
  receiver: LogsReceiver,
  version: string,
): Sink<ChainedRow> {
  const post = async (rows: readonly ChainedRow[]): Promise<'taken' | 'refused'> => {
    const { status, text } = await transport({
      method: 'POST',
      url: receiver.url,
      headers: { ...receiver.headers, 'content-type': 'application/json' },
      body: JSON.stringify(logsOf(rows, version)),
    });
    if (status >= 200 && status < 300) {
      warnOfRejected(logger, text);
      return 'taken';
    }
    // The protocol's word for data that will never be taken.
    if (status === 400 || status === 413) return 'refused';
    throw new OamError('logs_not_taken', 'The receiver of logs does not take them. Look at its own log.', {
      detail: `status ${status}`,
    });
  };

  /** Halves what is refused until the one row is left that is: it must not hold up those behind it. */
  const send = async (rows: readonly ChainedRow[]): Promise<void> => {
    if ((await post(rows)) === 'taken') return;
    const [first] = rows;
    if (rows.length === 1 && first !== undefined) {
      logger.error('The receiver of logs refuses a row of the audit trail; it is left out there.', {
        id: first.id,
        sequence: first.sequence,
      });
      return;
    }
    const middle = Math.ceil(rows.length / 2);
    await send(rows.slice(0, middle));
    await send(rows.slice(middle));
  };

  return {
    name: 'open-telemetry',
    limit: BATCH,
    behind: async (after, limit) => {
      const rows = await db
        .selectFrom('audit')
        .selectAll()
        .where('sequence', '>', after)
        .orderBy('sequence')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...exportRow(row), sequence: row.sequence ?? 0 }));
    },
    send,
  };
}

/** `ExportLogsServiceRequest` in the protocol's JSON. */
function logsOf(rows: readonly ChainedRow[], version: string): object {
  return {
    resourceLogs: [
      {
        resource: {
          attributes: attributes({ 'service.name': 'databricks-ml-oam', 'service.version': version }),
        },
        scopeLogs: [{ scope: { name: 'oam.audit', version }, logRecords: rows.map(logRecord) }],
      },
    ],
  };
}

const INFO = { severityNumber: 9, severityText: 'INFO' };

const WARN = { severityNumber: 13, severityText: 'WARN' };

function logRecord(row: ChainedRow): object {
  const actor = PersonView.safeParse(row.actor).data;
  return {
    timeUnixNano: `${BigInt(Date.parse(row.at)) * 1_000_000n}`,
    ...(/\.(refused|revoke_stuck|failed)$/.test(row.event) ? WARN : INFO),
    eventName: `oam.${row.event}`,
    // The very line of an export: what a log store kept can be verified too.
    body: { stringValue: JSON.stringify(row) },
    attributes: attributes({
      'oam.event.id': row.id,
      'oam.audit.sequence': row.sequence,
      'oam.audit.hash': row.hash,
      'user.id': actor?.sub,
      'user.name': actor?.userName,
      'oam.request.id': row.requestId,
      'oam.grant.id': row.grantId,
      'oam.role.id': row.roleId,
    }),
  };
}

function attributes(values: Readonly<Record<string, string | number | null | undefined>>): object[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === null || value === undefined
      ? []
      : [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }],
  );
}

const Answer = z.object({
  partialSuccess: z.optional(
    z.object({
      rejectedLogRecords: z.optional(z.union([z.string(), z.number()])),
      errorMessage: z.optional(z.string()),
    }),
  ),
});

/** Part of a batch may be rejected for good; the protocol forbids to send it again. */
function warnOfRejected(logger: Logger, text: string): void {
  let answer: z.infer<typeof Answer>;
  try {
    answer = Answer.parse(JSON.parse(text));
  } catch {
    return;
  }
  const rejected = Number(answer.partialSuccess?.rejectedLogRecords ?? 0);
  if (rejected === 0) return;
  logger.error('The receiver of logs took only a part of the audit trail.', {
    rejected,
    reason: answer.partialSuccess?.errorMessage ?? '',
  });
}
