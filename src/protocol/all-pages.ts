import type { CallInput } from './client.ts';
import { PAGE_MAX_ROWS } from './limits.ts';

/** More rows than one person looks at, or holds. */
const MAX_PAGES = 20;

type PageQuery = NonNullable<CallInput<'listTeamLeases'>['query']>;

/**
 * Reads a list of the control plane's to its end, in the largest pages that there are; 20 of them at most.
 *
 * @param read reads one page. What it throws is thrown, and nothing is returned of the pages before.
 */
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
