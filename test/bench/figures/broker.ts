import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import type { Cleanup } from '../../../demo/stage/cleanup.ts';
import { type Answered, ask, askAnew } from '../broker/question.ts';
import { type Figure, median, quantile } from '../figure.ts';

const CLIENTS = 8;

/** Both are asked in turn, in many short rounds: what else the machine does falls on both. */
const ROUNDS = 30;

const ROUND_MS = 300;

const P99_MS = 2;

const LEAST_SHARE = 0.8;

/** How fast the broker answers with a token in hand. */
export const broker: Figure = {
  name: 'broker',
  what: `a token in hand, asked for by ${String(CLIENTS)} at a time as fast as they are answered`,
  async measure(cleanup) {
    const [ours, bare] = [await serve(cleanup, 'broker'), await serve(cleanup, 'bare')];
    const kept = await compare(ours, bare);
    const anew = await compareAnew(ours, bare);
    return [
      {
        name: 'broker_p99',
        value: quantile(kept.ours.tookMs, 0.99),
        unit: 'ms',
        peer: { what: PEER, value: quantile(kept.bare.tookMs, 0.99) },
        bar: { of: 'value', is: 'at most', limit: P99_MS },
      },
      {
        name: 'broker_rate',
        value: kept.ours.perSecond,
        unit: 'requests/s',
        peer: { what: PEER, value: kept.bare.perSecond },
        bar: { of: 'ratio', is: 'at least', limit: LEAST_SHARE },
      },
      {
        name: 'broker_new_connection_median',
        value: median(anew.ours),
        unit: 'ms',
        peer: { what: PEER, value: median(anew.bare) },
        bar: null,
        note: `the system took ${(await listingMs()).toFixed(1)} ms to list its connections, which tells whose a new one is`,
      },
    ];
  },
};

const PEER = 'a bare server, the same bytes';

interface Compared<T> {
  readonly ours: T;
  readonly bare: T;
}

async function compare(ours: string, bare: string): Promise<Compared<Answered>> {
  const load = { clients: CLIENTS, forMs: ROUND_MS };
  for (const url of [ours, bare]) await ask(url, { ...load, forMs: 5 * ROUND_MS });
  const rounds: Record<'ours' | 'bare', Answered[]> = { ours: [], bare: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.ours.push(await ask(ours, load));
    rounds.bare.push(await ask(bare, load));
  }
  return { ours: together(rounds.ours), bare: together(rounds.bare) };
}

function together(rounds: readonly Answered[]): Answered {
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    tookMs: rounds.flatMap(({ tookMs }) => tookMs),
  };
}

/** Few, because the system lists each for a minute after its end, and takes longer the more there are. */
const NEW_CONNECTIONS = 100;

async function compareAnew(ours: string, bare: string): Promise<Compared<number[]>> {
  const tookMs: Record<'ours' | 'bare', number[]> = { ours: [], bare: [] };
  for (let count = 0; count < NEW_CONNECTIONS; count += 1) {
    tookMs.ours.push(await askAnew(ours));
    tookMs.bare.push(await askAnew(bare));
  }
  return tookMs;
}

async function listingMs(): Promise<number> {
  const startedMs = performance.now();
  await readFile('/proc/net/tcp').catch(() => undefined);
  return performance.now() - startedMs;
}

/** Starts one of the servers in a process of its own, and gives its address. */
function serve(cleanup: Cleanup, which: 'broker' | 'bare'): Promise<string> {
  return cleanup.start(async () => {
    const child = fork(fileURLToPath(new URL('../broker/server.ts', import.meta.url)), [which]);
    cleanup.add(() => child.kill());
    const [url] = (await once(child, 'message')) as [string];
    return url;
  });
}
