#!/usr/bin/env node
import { createRedactor } from '../domain/redaction.ts';
import { axiosStream, axiosTransport } from '../protocol/transport.ts';
import { useCompanyNetwork } from './connection/company-network.ts';
import { endingOf } from './failure.ts';
import type { Invocation } from './invocation.ts';
import { jsonLogger } from './json-logger.ts';
import { runCommandLine } from './program.ts';
import { createSignalDesk, exitCodeOf, PROGRAM_SIGNALS, STOP_SIGNALS } from './signals.ts';
import { outputGoesElsewhere } from './terminal.ts';
import manifest from '../../package.json' with { type: 'json' };

const redactor = createRedactor();
const outlivesTerminal = outputGoesElsewhere();
const signals = createSignalDesk({ outlivesTerminal });
for (const signal of [...STOP_SIGNALS, ...PROGRAM_SIGNALS]) {
  process.on(signal, () => {
    signals.deliver(signal);
  });
}
// Whoever closed the pipe has read enough: `oam grants | head`. And a terminal that is gone reads nothing, but what is to be
// given back at the end is given back.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || error.code === 'EIO') return;
  process.stderr.write(`oam: The answer could not be written: ${error.code ?? error.message}.\n`);
  // Whoever reads the answer from a file, as that of `oam token`, would take half of it, or nothing, for all of it.
  process.once('exit', () => (process.exitCode = 1));
});
process.stderr.on('error', () => undefined);

const clock = { nowMs: () => Date.now() };
const invocation: Invocation = {
  env: process.env,
  answer: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${redactor.redact(line)}\n`),
  notePage: (line) => process.stderr.write(`${line}\n`),
  outlivesTerminal,
  atTerminal: process.stdin.isTTY || process.stderr.isTTY,
  clock,
  logger: jsonLogger({
    clock,
    redactor,
    level: process.env['OAM_LOG'] ?? (process.argv[2] === 'serve' ? 'info' : 'off'),
    write: (line) => process.stderr.write(`${line}\n`),
  }),
  redactor,
  transport: axiosTransport(),
  stream: axiosStream(),
  signals,
};

try {
  useCompanyNetwork(process.env);
  process.exitCode = await runCommandLine(process.argv.slice(2), invocation, manifest.version);
} catch (error) {
  const ending = endingOf(error, redactor, signals.received && exitCodeOf(signals.received));
  for (const line of ending.lines) process.stderr.write(`${line}\n`);
  process.exitCode = ending.exitCode;
}
