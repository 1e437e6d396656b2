/** Characters that change how the text around them is read or shown: controls, and marks that turn the direction. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/**
 * What somebody else wrote, for a notification: VS Code makes links of `[…](…)` there, of commands too, so that a
 * purpose could run something on the machine of whoever reads it.
 */
export function forNotice(text: string): string {
  return oneLine(text).replaceAll('](', '] (');
}

/** Text for a Markdown document in which it is nothing but text. */
export function forMarkdown(text: string): string {
  return oneLine(text).replace(PUNCTUATION, '\\$&');
}

/** {@link forMarkdown}, as a quotation that keeps the lines. */
export function quotedMarkdown(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `> ${forMarkdown(line)}`.trimEnd())
    .join('  \n');
}

function oneLine(text: string): string {
  return text
    .replace(/[\r\n\t\u2028\u2029]+/g, ' ')
    .replace(UNSEEN, '')
    .trim();
}
