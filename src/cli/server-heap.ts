import { setFlagsFromString } from 'node:v8';

/**
 * How much garbage may pile up beside what is held, in percent of it, before the old generation is collected. Left alone,
 * V8 waits for a share of the machine's memory: what the server holds is a seventh of what it would then take.
 */
const OLD_GARBAGE_PERCENT = 50;

/**
 * Keeps the heap of a server that has started near what it holds: the young generation stays as large as the start made
 * it, and the old one is collected early. A server that runs for months beside others is to cost what it needs; the
 * collections that this adds do not show beside its waits for the database.
 */
export function boundServerHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--heap-growing-percent=${String(OLD_GARBAGE_PERCENT)}`);
}
