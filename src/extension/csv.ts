/** What a spreadsheet takes for the beginning of a formula. */
const FORMULA = /^[\s\u00a0\ufeff]*[=+\-@\t\r|%\uff1d\uff0b\uff0d\uff20]/;

/**
 * A table as comma-separated values (RFC 4180). A cell that a spreadsheet would run as a formula begins with an
 * apostrophe, which makes it text: what people write must not act on the machine of whoever opens the file. Source: OWASP,
 * CSV Injection.
 */
export function csvOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  // Some programs take a file without this mark for one of another alphabet.
  return `\ufeff${[header, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** A line of {@link csvOf}, without its end. */
export function csvLine(row: readonly string[]): string {
  return row.map(cell).join(',');
}

function cell(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n']|^\s|\s$/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
