/**
 * The brokers of a soak, in a process of their own: each with a port of its own, and tokens of a person by exchange at the
 * stand-in, over a network that fails as {@link TROUBLE} says.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { personTokenSource, startBroker, type TokenSource } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { SECOND_MS } from '../../../src/domain/time.ts';
import { axiosTransport, type HttpTransport } from '../../../src/protocol/transport.ts';
import { type BrokersOrder, type BrokersWord, clockOf, TROUBLE } from './night.ts';

const tally = { fetched: 0, failed: 0, refused: {} as Record<string, number> };

function say(word: BrokersWord): void {
  process.send?.(word);
}

process.once('message', (order: BrokersOrder) => {
  void open(order);
});
process.once('disconnect', () => process.exit());

async function open(order: BrokersOrder): Promise<void> {
  const clock = clockOf(order.night);
  const network = troubled(axiosTransport(), order);
  const urls: string[][] = [];
  for (const paths of order.paths) {
    const broker = await startBroker({
      ...{ clock, logger: silentLogger, redactor: createRedactor() },
      answerWithinMs: (8 * SECOND_MS) / order.night.speed,
      wait: async (ms, signal) => {
        await delay(ms / order.night.speed, undefined, { signal, ref: false }).catch(() => undefined);
      },
    });
    const opened = Array.from({ length: paths }, () =>
      broker.open({
        host: order.host,
        keepsFed: order.keepsFed,
        source: counted(
          personTokenSource({
            ...{ host: order.host, transport: network, clock, redactor: createRedactor() },
            session: {
              subjectToken: () =>
                Promise.resolve({
                  token: order.subjectToken,
                  principal: order.principal,
                  expiresAtMs: Infinity,
                }),
            },
            trust: hostTrust([order.host]),
          }),
        ),
        onRefusal: ({ code }) => {
          tally.refused[code] = (tally.refused[code] ?? 0) + 1;
        },
      }),
    );
    urls.push(opened.map(({ url }) => url));
  }
  say({ kind: 'open', urls });
  process.once('message', () => {
    say({ kind: 'done', ...tally });
  });
}

function counted(source: TokenSource): TokenSource {
  return {
    async token(signal) {
      try {
        const token = await source.token(signal);
        tally.fetched += 1;
        return token;
      } catch (error) {
        tally.failed += 1;
        throw error;
      }
    },
  };
}

/** Fails by the night's clock and by chance: before the call, after it, or by being slow. */
function troubled(transport: HttpTransport, { night }: BrokersOrder): HttpTransport {
  const clock = clockOf(night);
  const fail = (): never => {
    throw new OamError('unreachable', 'The network is down.');
  };
  return async (request) => {
    const sinceMs = (clock.nowMs() - night.beganAtMs) % TROUBLE.everyMs;
    const chance = Math.random() * 100;
    if (TROUBLE.everyMs - sinceMs <= TROUBLE.awayMs || chance < TROUBLE.failed) return fail();
    if (chance < TROUBLE.failed + TROUBLE.slow) await delay(TROUBLE.slowMs);
    const answer = await transport(request);
    return chance > 100 - TROUBLE.lost ? fail() : answer;
  };
}
