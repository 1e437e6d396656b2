import { connect } from 'node:net';

import { type Broker, type BrokerOptions, startBroker, type TokenSource } from '../../../src/broker/index.ts';
import type { BearerToken } from '../../../src/databricks/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import type { Clock } from '../../../src/domain/time.ts';

export const HOST = 'https://ml-prod.cloud.databricks.com';

/** The headers of Databricks' SDKs. */
export const SDK_HEADERS = { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': HOST };

/** A clock that stands where it is put, and those who wait for it. */
export function standingClock(startMs = 1_800_000_000_000) {
  let now = startMs;
  const waiting = new Set<{ readonly untilMs: number; readonly go: () => void }>();
  return {
    nowMs: () => now,
    advance(ms: number): void {
      now += ms;
      for (const waiter of waiting) {
        if (waiter.untilMs <= now) waiter.go();
      }
    },
    wait: (ms: number, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        const go = (): void => {
          waiting.delete(waiter);
          resolve();
        };
        const waiter = { untilMs: now + ms, go };
        waiting.add(waiter);
        signal.addEventListener('abort', go, { once: true });
      }),
  };
}

/** A source that counts, and gives what `next` says. */
export function countingSource(next: (call: number) => BearerToken | Promise<BearerToken>) {
  const source = {
    calls: 0,
    async token() {
      source.calls += 1;
      return next(source.calls);
    },
  };
  return source satisfies TokenSource;
}

/** A source of tokens `token-1`, `token-2`, … that live for `lifeMs`. */
export function sourceOf(clock: Clock, lifeMs: number) {
  return countingSource((call) => ({ accessToken: `token-${call}`, expiresAtMs: clock.nowMs() + lifeMs }));
}

export async function brokerWith(options: Partial<BrokerOptions> = {}): Promise<Broker & AsyncDisposable> {
  const broker = await startBroker({
    clock: standingClock(),
    logger: silentLogger,
    redactor: createRedactor(),
    ...options,
  });
  return { ...broker, [Symbol.asyncDispose]: () => broker.close() };
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: string;
  readonly json: Record<string, unknown>;
}

/** Sends bytes as they are, so that requests which no client library would form can be tried. */
export function sendRaw(port: number, text: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.on('error', (error) => {
      if (answer === '') reject(error);
    });
    socket.on('close', () => {
      const [headers = '', body = ''] = answer.split('\r\n\r\n');
      const status = Number(headers.split(' ')[1]);
      try {
        resolve({ status, headers, json: JSON.parse(body) as Record<string, unknown> });
      } catch {
        reject(new Error(`Not JSON: ${JSON.stringify(answer)}`));
      }
    });
  });
}

/** A request as it goes over the wire; a header given as undefined is left out, one given as a list is repeated. */
export function wire(o: {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string;
}): string {
  const headers = { Host: `127.0.0.1:${o.port}`, Connection: 'close', ...SDK_HEADERS, ...o.headers };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  return `${o.method ?? 'GET'} ${o.path} HTTP/${o.version ?? '1.1'}\r\n${lines.join('\r\n')}\r\n\r\n${o.body ?? ''}`;
}
