import * as z from 'zod/mini';

/** One address and nothing else: no name, no second address, no line break that would begin another header. */
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** A mail address, as the server's own configuration or a directory gives it. */
export const MailAddress = z
  .string()
  .check(z.regex(ADDRESS, { error: 'must be a mail address such as leads@example.com.' }));

/** True for a text that is one mail address. */
export function isMailAddress(text: string): boolean {
  return ADDRESS.test(text);
}
