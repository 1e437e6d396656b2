/** What a list for leads is asked for. */
export interface TeamQuery {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** A page of rows. */
export interface PageOf<Row> {
  readonly items: Row[];
  readonly nextCursor: string | null;
}

/**
 * The first half of a hash, written as a UUID of version 8 (RFC 9562): by it a cursor breaks ties where rows have no id
 * of that form.
 */
export function asUuid(sha256Hex: string): string {
  return sha256Hex.slice(0, 32).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-8$4-$5');
}
