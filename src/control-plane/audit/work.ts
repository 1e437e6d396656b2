import type { Kysely } from 'kysely';

import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { AuditConfiguration } from './settings.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import type { SigningKey } from '../issuer/signing-key.ts';
import type { Database } from '../store/tables.ts';
import { anchorSinks } from './anchor-sinks.ts';
import { anchorChain } from './anchors.ts';
import { chainAudit } from './chain.ts';
import type { AuditDebt } from './debt.ts';
import { deliver, type DeliveryParts, type Placed, registerSink, type Sink } from './delivery.ts';
import { openTelemetrySink } from './open-telemetry.ts';
import type { RefusedTokens } from './refused-tokens.ts';

/** Headers that open a receiver's door, by the name of the environment variable that holds them. */
export type ReceiverHeaders = (environmentName: string | undefined) => Readonly<Record<string, string>>;

/** What the work on the trail needs. */
export interface AuditWorkParts {
  readonly db: Kysely<Database>;
  readonly debt: AuditDebt;
  readonly refusedTokens: RefusedTokens;
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly transport: HttpTransport;
  readonly random: () => number;
  readonly version: string;
  readonly config: AuditConfiguration;
  readonly headers: ReceiverHeaders;
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
}

const CHAIN_EVERY_MS = 500;

const DELIVER_EVERY_MS = SECOND_MS;

/** Beats between two tries to pay a debt that the trail does not take, at most. */
const MAX_PAUSE_BEATS = 60;

/** Chains what is written, takes up what waited beside the trail, and counts refused tokens. Needs no key. */
export function startChaining({ db, debt, refusedTokens, logger }: AuditWorkParts): Pick<Loop, 'stop'> {
  let pauseBeats = 0;
  let failures = 0;
  const drain = async (): Promise<void> => {
    if (pauseBeats > 0) {
      pauseBeats -= 1;
      return;
    }
    try {
      await debt.drain(db);
      failures = 0;
    } catch (error) {
      failures += 1;
      pauseBeats = Math.min(MAX_PAUSE_BEATS, 2 ** failures);
      logger.error('The audit trail does not take the rows that wait; they are kept.', {
        reason: error instanceof Error ? error.message : 'unknown',
      });
    }
  };
  const chaining = startLoop({
    name: 'audit',
    pollMs: CHAIN_EVERY_MS,
    logger,
    work: async () => {
      await drain();
      return chainAudit(db);
    },
  });
  const counting = startLoop({
    name: 'refused-tokens',
    pollMs: MINUTE_MS,
    logger,
    work: async () => {
      await refusedTokens.endRound();
      return false;
    },
  });
  return {
    async stop() {
      await Promise.all([chaining.stop(), counting.stop()]);
      await refusedTokens.endRound();
    },
  };
}

/** Signs where the chain is, and sends anchors and rows to those outside who keep them. */
export async function startAnchoring(parts: AuditWorkParts, key: SigningKey): Promise<Pick<Loop, 'stop'>> {
  const { db, logger, config } = parts;
  const deliveries = await deliveriesOf(parts);
  const delivering = deliveries.map(({ name, work }) =>
    startLoop({ name, pollMs: DELIVER_EVERY_MS, logger, work }),
  );
  const anchoring = startLoop({
    name: 'anchors',
    pollMs: config.anchors.everySeconds * SECOND_MS,
    logger,
    work: async () => {
      await anchorChain(db, key);
      return false;
    },
  });
  return {
    async stop() {
      await Promise.all([anchoring, ...delivering].map((loop) => loop.stop()));
    },
  };
}

interface Delivery {
  readonly name: string;
  readonly work: () => Promise<boolean>;
}

async function deliveriesOf(parts: AuditWorkParts): Promise<Delivery[]> {
  const { db, transport, logger, headers, version } = parts;
  const { anchors, openTelemetry } = parts.config;
  const delivery = <Item extends Placed>(sink: Sink<Item>): Delivery => ({
    name: sink.name,
    work: () => deliver(parts satisfies DeliveryParts, sink),
  });
  const all = anchorSinks(db, transport, {
    folder: anchors.folder,
    webhook: anchors.webhook && { url: anchors.webhook.url, headers: headers(anchors.webhook.headersEnv) },
    standardOutput: anchors.standardOutput ? parts.print : undefined,
  }).map(delivery);
  if (openTelemetry !== undefined) {
    const receiver = { url: openTelemetry.url, headers: headers(openTelemetry.headersEnv) };
    all.push(delivery(openTelemetrySink(db, transport, logger, receiver, version)));
  }
  for (const { name } of all) await registerSink(db, name);
  return all;
}
