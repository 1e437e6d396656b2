const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** True for a text that can name a row. Anything else names none, and must not reach the database as one. */
export function isId(text: string): boolean {
  return UUID.test(text);
}
