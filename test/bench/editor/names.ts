/** Names the file into which a program in the extension host writes what it measured. */
export const RESULT_FILE = 'OAM_BENCH_RESULT';

/** So many lines the side bar is good at. */
export const ROWS = 10_000;

/** So many of them come in one answer of Databricks'. */
export const PAGE_ROWS = 50;

/** What is measured in the extension host; moments are of the machine's clock, which the page has too. */
export interface TreeResult {
  /** When the first page of the list was there, a search was typed, and the plain list was asked for. */
  readonly dataAtMs: number;
  readonly searchAtMs: number;
  readonly plainAtMs: number;
  /** The longest that the extension host did nothing else. */
  readonly longestBlockMs: number;
  readonly plainLongestBlockMs: number;
}
