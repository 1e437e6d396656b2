import type { Json, JsonObject } from '../../domain/canonical.ts';

/** True for a text that the store can hold: neither the character NUL is in it nor half a character. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** A text as the store can hold it: what it cannot is replaced. For what people are called and say, never for what names them. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** JSON whose texts the store can hold; members that are undefined go. */
export function storableJson(value: Json): Json {
  if (typeof value === 'string') return storableText(value);
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) return value.map(storableJson);
  return storableMembers(value);
}

/** As {@link storableJson}, of an object. */
export function storableMembers(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      member === undefined ? [] : [[storableText(name), storableJson(member)]],
    ),
  );
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
