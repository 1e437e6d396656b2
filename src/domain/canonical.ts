import { createHash } from 'node:crypto';

/** What JSON can hold. `undefined` properties are left out, as `JSON.stringify` does. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

/** The object of JSON. */
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/**
 * The one text of a JSON value: property names sorted by UTF-16 code units, no white space. Two values that are
 * equal have the same text, whatever the order in which they were built or came back from a store.
 *
 * @throws {TypeError} for a number that JSON cannot hold (`NaN`, infinities).
 */
export function canonicalJson(value: Json): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError('A canonical text holds finite numbers only.');
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 of a text in UTF-8, as 64 lower-case hexadecimal digits. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
