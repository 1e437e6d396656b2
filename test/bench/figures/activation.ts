import * as z from 'zod';

import type { Cleanup } from '../../../demo/stage/cleanup.ts';
import { extensionHosts } from '../editor/extension-host.ts';
import { type Figure, median } from '../figure.ts';

const STARTS = 12;

const Told = z.object({ heads: z.string(), ours: z.string(), peer: z.string() });

/** What one start took, in milliseconds, by VS Code's own clock. */
interface Start {
  readonly load: number;
  readonly activate: number;
}

/** How long the editor waits for the extension when it starts. */
export const activation: Figure = {
  name: 'activation',
  what: `${String(STARTS)} starts of a real extension host, by VS Code's own "Startup Performance"`,
  async measure(cleanup: Cleanup) {
    const start = await extensionHosts(cleanup, 'test/bench/editor/activation-program.ts');
    const ours: Start[] = [];
    const peers: Start[] = [];
    // The first one fills caches.
    await start();
    for (let count = 0; count < STARTS; count += 1) {
      const told = Told.parse(JSON.parse(await start()));
      ours.push(readRow(told.heads, told.ours));
      peers.push(readRow(told.heads, told.peer));
    }
    const reading = (name: string, of: (start: Start) => number) => ({
      name,
      value: median(ours.map(of)),
      unit: 'ms',
      peer: { what: "VS Code's own github-authentication", value: median(peers.map(of)) },
      note: `of ${String(STARTS)}: ${ours.map(of).join(' ')}; theirs: ${peers.map(of).join(' ')}`,
    });
    return [
      { ...reading('activate', ({ activate }) => activate), bar: { of: 'ratio', is: 'at most', limit: 1 } },
      { ...reading('load_and_activate', ({ load, activate }) => load + activate), bar: null },
    ];
  },
};

function readRow(heads: string, row: string): Start {
  const names = heads.split('|').map((name) => name.trim());
  const cells = row.split('|').map((cell) => cell.trim());
  const number = (name: string): number => {
    const value = Number(cells[names.indexOf(name)]);
    if (!Number.isFinite(value)) throw new TypeError(`VS Code says nothing of ${name}: ${row}`);
    return value;
  };
  return { load: number('Load Code'), activate: number('Call Activate') + number('Finish Activate') };
}
