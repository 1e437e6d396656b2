import * as z from 'zod';
import type { Page } from 'playwright-core';

import { extensionHosts } from '../editor/extension-host.ts';
import { PAGE_ROWS, ROWS, type TreeResult } from '../editor/names.ts';
import { type Figure, median } from '../figure.ts';

const RUNS = 3;

const Result: z.ZodType<TreeResult> = z.object({
  dataAtMs: z.number(),
  searchAtMs: z.number(),
  plainAtMs: z.number(),
  longestBlockMs: z.number(),
  plainLongestBlockMs: z.number(),
});

/** How soon a list of ten thousand can be read, and how long anything else has to wait for it. */
export const tree: Figure = {
  name: 'tree',
  what: `${String(ROWS)} lines in the side bar of a real VS Code, in pages of ${String(PAGE_ROWS)}`,
  async measure(cleanup) {
    const start = await extensionHosts(cleanup, 'test/bench/editor/tree-program.ts');
    const runs: (TreeResult & { readonly rows: number; readonly found: number; readonly plain: number })[] =
      [];
    for (let count = 0; count < RUNS; count += 1) {
      const seen = { rows: 0, found: 0, plain: 0 };
      const told = await start(async (page) => {
        seen.rows = await seenAt(page, /bench\.recsys\.model_0000\d/);
        seen.found = await seenAt(page, new RegExp(`model_0${String(ROWS - 1).slice(-4)}`));
        seen.plain = await seenAt(page, /plain\.recsys\.model_0000\d/);
      });
      runs.push({ ...Result.parse(JSON.parse(told)), ...seen });
    }
    const of = (value: (run: (typeof runs)[number]) => number): number => median(runs.map(value));
    return [
      {
        name: 'tree_first_rows',
        value: of(({ rows, dataAtMs }) => rows - dataAtMs),
        unit: 'ms',
        peer: {
          what: 'a plain tree that hands over all lines',
          value: of(({ plain, plainAtMs }) => plain - plainAtMs),
        },
        bar: { of: 'value', is: 'at most', limit: 200 },
        note: 'from the first page of data to lines on the screen',
      },
      {
        name: 'tree_search',
        value: of(({ found, searchAtMs }) => found - searchAtMs),
        unit: 'ms',
        peer: null,
        bar: { of: 'value', is: 'at most', limit: 500 },
        note: 'from a search over all of them to the line that it finds',
      },
      {
        name: 'tree_longest_block',
        value: of(({ longestBlockMs }) => longestBlockMs),
        unit: 'ms',
        peer: { what: 'the plain tree', value: of(({ plainLongestBlockMs }) => plainLongestBlockMs) },
        bar: { of: 'value', is: 'at most', limit: 100 },
        note: 'the longest that the extension host did nothing else, while all pages came and were searched',
      },
    ];
  },
};

/** When a line that matches is on the screen, by the page's own clock, which is the machine's. */
async function seenAt(page: Page, pattern: RegExp): Promise<number> {
  const handle = await page.waitForFunction(
    `[...document.querySelectorAll('.part.sidebar .monaco-list-row')].some((row) => ${String(pattern)}.test(row.textContent ?? '')) && Date.now()`,
    undefined,
    { polling: 'raf', timeout: 110_000 },
  );
  return Number(await handle.jsonValue());
}
