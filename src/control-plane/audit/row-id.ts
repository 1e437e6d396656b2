import { randomBytes } from 'node:crypto';

import type { EpochMs } from '../../domain/time.ts';

/** Of the counter: more than any change writes rows. */
const COUNTER_BITS = 26;

/** The part of the counter that stands before the variant's two bits, and the part behind them. */
const LOW_BITS = 14;

let written = 0;

/**
 * The id of a row of the trail: a UUID of version 7 whose counter goes on from row to row, so that rows of one moment,
 * which are those of one change, stand in the order in which they were written (RFC 9562 §5.7 and §6.2, method 1).
 *
 * @param atMs when that is which the row tells, in milliseconds since 1970.
 */
export function auditRowId(atMs: EpochMs): string {
  written = (written + 1) % 2 ** COUNTER_BITS;
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Math.max(0, Math.trunc(atMs)), 0, 6);
  bytes.writeUInt16BE(0x7000 | (written >>> LOW_BITS), 6);
  bytes.writeUInt16BE(0x8000 | (written % 2 ** LOW_BITS), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
