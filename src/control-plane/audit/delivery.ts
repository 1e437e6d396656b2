import { randomUUID } from 'node:crypto';

import { type Kysely, sql } from 'kysely';

import { backoffMs } from '../../domain/backoff.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import type { Database } from '../store/tables.ts';

/** Things with a place in the chain. */
export interface Placed {
  readonly sequence: number;
}

/** Somebody outside who is sent rows or anchors, in order, each at least once. */
export interface Sink<Item extends Placed> {
  /** Names its position in the store. */
  readonly name: string;
  /** What is behind a place of the chain, in order, at most `limit`. */
  readonly behind: (after: number, limit: number) => Promise<readonly Item[]>;
  readonly limit: number;
  /** Resolves when the sink has all of them. What it throws is tried again, for ever. */
  readonly send: (items: readonly Item[]) => Promise<void>;
}

/** What delivering needs. */
export interface DeliveryParts {
  readonly db: Kysely<Database>;
  readonly logger: Logger;
  readonly redactor: Redactor;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Longer than any exchange may take; after it another replica takes over from one that stopped. */
const LEASE_MS = MINUTE_MS;

/** Makes a sink known. A new one is sent everything from the first row on. */
export async function registerSink(db: Kysely<Database>, name: string): Promise<void> {
  await sql`insert into oam.audit_delivery (sink) values (${name}) on conflict do nothing`.execute(db);
}

/**
 * Sends a sink what it has not taken yet, one batch, and keeps how far it has come. One replica at a time sends.
 *
 * @returns true where there is more to send at once.
 */
export async function deliver<Item extends Placed>(parts: DeliveryParts, sink: Sink<Item>): Promise<boolean> {
  const { db } = parts;
  const holder = randomUUID();
  const turn = await take(db, sink.name, holder);
  if (turn === undefined) return false;
  try {
    const items = await sink.behind(turn.position, sink.limit);
    if (items.length > 0) await sink.send(items);
    await settle(db, sink.name, holder, { position: items.at(-1)?.sequence ?? turn.position });
    return items.length === sink.limit;
  } catch (error) {
    const attempts = turn.attempts + 1;
    const trouble = parts.redactor.redact(error instanceof Error ? error.message : 'unknown');
    parts.logger.error('The audit trail cannot be passed on; it is tried again.', {
      sink: sink.name,
      attempts,
      reason: trouble,
    });
    const delayMs = backoffMs(attempts, parts.random());
    await settle(db, sink.name, holder, { position: turn.position, attempts, trouble, delayMs });
    return false;
  }
}

async function take(
  db: Kysely<Database>,
  name: string,
  holder: string,
): Promise<{ position: number; attempts: number } | undefined> {
  const { rows } = await sql<{ position: number; attempts: number }>`
    update oam.audit_delivery set
      lease_holder = ${holder},
      lease_until = oam.now() + ${LEASE_MS} * interval '1 millisecond'
    where sink = ${name}
      and next_attempt_at <= oam.now()
      and (lease_until is null or lease_until <= oam.now())
    returning position, attempts`.execute(db);
  return rows[0];
}

interface Settlement {
  readonly position: number;
  readonly attempts?: number;
  readonly trouble?: string;
  readonly delayMs?: number;
}

async function settle(
  db: Kysely<Database>,
  name: string,
  holder: string,
  { position, attempts = 0, trouble, delayMs = 0 }: Settlement,
): Promise<void> {
  await sql`
    update oam.audit_delivery set
      position = ${position},
      attempts = ${attempts},
      trouble = ${trouble ?? null},
      next_attempt_at = oam.now() + ${delayMs} * interval '1 millisecond',
      lease_holder = null,
      lease_until = null
    where sink = ${name} and lease_holder = ${holder}`.execute(db);
}
