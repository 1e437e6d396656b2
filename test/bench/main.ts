/**
 * `npm run bench`: measures what the product claims about speed and memory, each figure beside its peer or its limit in
 * the same run. `--only NAME` (again for more) chooses figures, `--json` prints a line of JSON for each reading. The exit
 * code is 1 where a bar is missed.
 */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

import { Cleanup, cleanUpOnSignals } from '../../demo/stage/cleanup.ts';
import { isOk, ratioOf, type Reading } from './figure.ts';
import { FIGURES } from './figures/index.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
});

const unknown = flags.only.filter((name) => !FIGURES.some((figure) => figure.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no figure ${unknown.join(', ')}. Choose from: ${FIGURES.map(({ name }) => name).join(', ')}.`,
  );
  process.exit(2);
}

const everything = new Cleanup();
cleanUpOnSignals(everything);
const say = (line: string): void => {
  if (!flags.json) console.log(line);
};

say(
  `${availableParallelism()} processors (${cpus()[0]?.model ?? 'unknown'}), ${gigabytes(totalmem())} GB, load ${load()}`,
);
for (const figure of FIGURES) {
  if (flags.only.length > 0 && !flags.only.includes(figure.name)) continue;
  say(`\n${figure.name}: ${figure.what}`);
  const started = performance.now();
  const own = new Cleanup();
  everything.add(() => own.run());
  try {
    for (const reading of await figure.measure(own)) {
      if (flags.json) console.log(JSON.stringify(asJson(reading)));
      else say(asLine(reading));
      if (!isOk(reading)) process.exitCode = 1;
    }
  } catch (error) {
    console.error(
      `${figure.name} could not be measured: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    process.exitCode = 1;
  } finally {
    await own.run();
  }
  say(`  (${Math.round((performance.now() - started) / 1_000)} s, load ${load()})`);
}
await everything.run();
// A connection that idles somewhere must not keep a measurement from ending.
process.exit();

function asJson(reading: Reading): object {
  const { name, value, unit, peer, bar } = reading;
  return {
    ...{ name, value: rounded(value), unit, peer: peer === null ? null : rounded(peer.value) },
    ratio: rounded(ratioOf(reading)),
    bar: bar?.limit ?? null,
    ok: isOk(reading),
  };
}

function asLine(reading: Reading): string {
  const { name, value, unit, peer, bar, note } = reading;
  const ratio = ratioOf(reading);
  return [
    bar === null ? '  ·' : isOk(reading) ? '  ok' : '  MISSED',
    `${name}: ${String(rounded(value))} ${unit}`,
    peer === null
      ? ''
      : `(${peer.what}: ${String(rounded(peer.value))} ${unit}, ratio ${String(rounded(ratio))})`,
    bar === null ? '' : `[${bar.of === 'ratio' ? 'ratio ' : ''}${bar.is} ${String(bar.limit)}]`,
    note === undefined ? '' : `- ${note}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function rounded(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4));
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
}

function gigabytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(0);
}
