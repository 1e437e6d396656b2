/** What has no width, turns the direction of text or hides in it; the joiners of scripts and emoji are left. */
const INVISIBLE = /(?![\u200c\u200d])\p{Cf}/gu;

const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

/**
 * People's text as one line: a line break in it cannot pass for a line of ours, nor for a header of a mail.
 *
 * @param maxCharacters where it is longer it is cut, with an ellipsis.
 */
export function plainLine(text: string, maxCharacters: number): string {
  const line = text.toWellFormed().replace(BREAKS, ' ').replace(INVISIBLE, '').trim();
  const characters = [...line];
  return characters.length <= maxCharacters ? line : `${characters.slice(0, maxCharacters - 1).join('')}…`;
}
