import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import * as z from 'zod/mini';

import type { Cleanup } from '../../../demo/stage/cleanup.ts';
import { startCompany } from '../../../demo/stage/company.ts';
import { installPython } from '../../../demo/stage/python.ts';
import { DAY_MS, SECOND_MS, toUnixSeconds } from '../../../src/domain/time.ts';
import { EDITOR_CLIENT_ID, PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import type { Figure } from '../figure.ts';
import { type BrokersOrder, type BrokersWord, clockOf, type Night, TROUBLE } from '../soak/night.ts';

const KERNELS = 100;
const JOBS = 100;

const TOKEN_SECONDS = 60;

const EXPIRIES = 20;

/** A little longer, so that the last of them comes to pass. */
const NIGHT_MS = (EXPIRIES * TOKEN_SECONDS + 10) * SECOND_MS;

/** Ten seconds, the least that a token is handed out with, have to be time enough for a request on two cores. */
const SPEED = 4;

/** A worker calls the workspace about so often, in seconds of the night. */
const EVERY_SECONDS = 12;

/** Places of one window's broker: everyday access in two folders, and two roles. */
const PLACES = 4;

const PER_PROCESS = 25;

/** Whether what runs through the night keeps working while its tokens come and go. */
export const soak: Figure = {
  name: 'soak',
  what: `${String(KERNELS)} kernels of one window and ${String(JOBS)} jobs with brokers of their own, by Databricks' Python SDK, through ${String(Math.round(NIGHT_MS / 60_000))} minutes of tokens that live ${String(TOKEN_SECONDS)} s, ${String(SPEED)} times as fast; whoever makes tokens is away for ${String(TROUBLE.awayMs / SECOND_MS)} s in every ${String(TROUBLE.everyMs / SECOND_MS)} s and fails ${String(TROUBLE.failed + TROUBLE.lost)} of 100 calls besides`,
  async measure(cleanup) {
    const night: Night = { beganAtMs: Date.now(), speed: SPEED };
    const { identityProvider, databricks } = await startCompany(cleanup, {
      databricks: { tokenSeconds: TOKEN_SECONDS, clock: clockOf(night) },
    });
    databricks.tune({ rateLimitPerMinute: null });
    const { host } = databricks.workspaces.prod;
    const { sub, userName: email } = PEOPLE.ana;
    const subjectToken = await identityProvider.mint({
      ...{ sub, email },
      aud: EDITOR_CLIENT_ID,
      exp: toUnixSeconds(night.beganAtMs + DAY_MS),
    });
    const order = { night, host, subjectToken, principal: { iss: identityProvider.issuer, sub } };
    const window = await openBrokers(cleanup, { ...order, paths: [PLACES], keepsFed: false });
    const jobs = await Promise.all(
      Array.from({ length: JOBS / PER_PROCESS }, () =>
        openBrokers(cleanup, {
          ...{ ...order, keepsFed: true },
          paths: Array.from({ length: PER_PROCESS }, () => 1),
        }),
      ),
    );
    const places = window.urls.flat();
    const urls = [
      ...Array.from({ length: KERNELS }, (_, kernel) => places[kernel % PLACES] ?? ''),
      ...jobs.flatMap((process) => process.urls.flat()),
    ];
    const { python } = await installPython(console.error);
    const shift = { night, host, everySeconds: EVERY_SECONDS, nightMs: NIGHT_MS };
    const [injected, ...pointed] = await Promise.all([
      work(cleanup, python, { ...shift, urls: places, goesOn: true }),
      ...slices(urls, PER_PROCESS).map((some) =>
        work(cleanup, python, { ...shift, urls: some, goesOn: false }),
      ),
    ]);
    const workers = pointed.flat();
    const tallies = await Promise.all([window, ...jobs].map((process) => process.tally()));
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const lost = workers.filter((worker) => worker.lost !== null);
    for (const { lost: why } of lost.slice(0, 3)) console.error(`  lost: ${why?.slice(0, 160) ?? ''}`);
    return [
      {
        name: 'soak_expired_requests',
        value: sum(workers.map(({ refused }) => refused)),
        unit: `of ${String(sum(workers.map(({ sent }) => sent)))} requests`,
        peer: {
          what: `${String(PLACES)} workers with a token in their environment, of ${String(sum(injected.map(({ sent }) => sent)))} requests`,
          value: sum(injected.map(({ refused }) => refused)),
        },
        bar: { of: 'value', is: 'at most', limit: 0 },
      },
      {
        name: 'soak_lost_jobs',
        value: lost.length,
        unit: `of ${String(workers.length)} kernels and jobs`,
        peer: null,
        bar: { of: 'value', is: 'at most', limit: 0 },
      },
      {
        name: 'soak_expiries',
        value: Math.min(...workers.map(({ workedMs }) => Math.floor(workedMs / (TOKEN_SECONDS * SECOND_MS)))),
        unit: `lives of a token, the least of any worker`,
        peer: null,
        bar: { of: 'value', is: 'at least', limit: EXPIRIES },
        note: `each used ${String(Math.min(...workers.map(({ tokens }) => tokens)))} tokens or more; ${String(sum(tallies.map(({ fetched }) => fetched)))} tokens fetched, ${String(sum(tallies.map(({ failed }) => failed)))} fetches failed; refused: ${JSON.stringify(tallies.map(({ refused }) => refused))}`,
      },
    ];
  },
};

const FORK = fileURLToPath(new URL('../soak/brokers.ts', import.meta.url));

/** Starts brokers in a process of their own. */
async function openBrokers(cleanup: Cleanup, order: BrokersOrder) {
  const child: ChildProcess = fork(FORK);
  cleanup.add(() => child.kill());
  child.send(order);
  const opened = await word(child, 'open');
  return {
    urls: opened.urls,
    async tally() {
      child.send('enough');
      return word(child, 'done');
    },
  };
}

async function word<K extends BrokersWord['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<BrokersWord, { kind: K }>> {
  const [said] = (await once(child, 'message')) as [BrokersWord];
  if (said.kind !== kind) throw new TypeError(`Brokers said ${said.kind}.`);
  return said as Extract<BrokersWord, { kind: K }>;
}

const WORKERS = fileURLToPath(new URL('../soak/workers.py', import.meta.url));

const Worked = z.array(
  z.object({
    sent: z.number(),
    refused: z.number(),
    tokens: z.number(),
    workedMs: z.number(),
    lost: z.nullable(z.string()),
  }),
);

/** Works through the night in a process of Python's. */
function work(cleanup: Cleanup, python: string, order: object): Promise<z.infer<typeof Worked>> {
  return new Promise((resolve, reject) => {
    const child = execFile(python, [WORKERS], { maxBuffer: 2 ** 24 }, (error, stdout) => {
      if (error === null) resolve(Worked.parse(JSON.parse(stdout)));
      else reject(new Error('The workers ended.', { cause: error }));
    });
    cleanup.add(() => child.kill());
    child.stdin?.end(JSON.stringify(order));
  });
}

function slices<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
