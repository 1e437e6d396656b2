/** VS Code's `l10n`, as far as words that are made apart from VS Code need it. */
export interface Localise {
  t(message: string, ...args: (string | number | boolean)[]): string;
}
