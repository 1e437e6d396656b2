import type { CallInput } from '../protocol/client.ts';
import { PAGE_MAX_ROWS } from '../protocol/limits.ts';

/** More pages than a side bar is good for. */
const MAX_PAGES = 20;

type PageQuery = NonNullable<CallInput<'listTeamLeases'>['query']>;

/** Reads a list of the control plane's to its end. */
export async function allPages<Row>(
  read: (query: PageQuery) => Promise<{ readonly items: readonly Row[]; readonly nextCursor: string | null }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { items, nextCursor } = await read({
      limit: PAGE_MAX_ROWS,
      ...(cursor !== undefined && { cursor }),
    });
    rows.push(...items);
    if (nextCursor === null) return rows;
    cursor = nextCursor;
  }
  return rows;
}
