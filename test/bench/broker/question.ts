import { connect, type Socket } from 'node:net';

/** The workspace that is asked for. */
export const HOST = 'https://ml-prod.cloud.databricks.com';

/** As long as a token of Databricks' is. */
export const TOKEN = `eyJ${'x'.repeat(900)}`;

/** What came of asking for a while. */
export interface Answered {
  readonly perSecond: number;
  readonly tookMs: readonly number[];
}

/** How many ask at the same time, each over a connection of its own, and for how long. */
export interface Load {
  readonly clients: number;
  readonly forMs: number;
}

/**
 * Asks a server as Databricks' SDKs do, as fast as it answers. Reads no more than is needed to know that an answer is
 * whole, so that the server and not its client is the one to be measured.
 */
export async function ask(url: string, load: Load): Promise<Answered> {
  const startedMs = performance.now();
  const clients = Array.from({ length: load.clients }, () =>
    askOver(url, 'keep-alive', startedMs + load.forMs),
  );
  const tookMs = (await Promise.all(clients)).flat();
  return { perSecond: (tookMs.length / (performance.now() - startedMs)) * 1_000, tookMs };
}

/** Asks once, over a new connection, as Python's SDK does; tells how long it took, in milliseconds. */
export async function askAnew(url: string): Promise<number> {
  const startedMs = performance.now();
  await askOver(url, 'close', startedMs);
  return performance.now() - startedMs;
}

function wording(url: URL, connection: 'keep-alive' | 'close'): string {
  return [
    `GET ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'User-Agent: databricks-sdk-py/0.156.0',
    'Accept: */*',
    `Connection: ${connection}`,
    'X-Databricks-Metadata-Version: 1',
    `X-Databricks-Host: ${HOST}`,
    '',
    '',
  ].join('\r\n');
}

/** Asks again and again over one connection until then, at least once; tells how long each answer took, in milliseconds. */
function askOver(address: string, connection: 'keep-alive' | 'close', untilMs: number): Promise<number[]> {
  const url = new URL(address);
  const text = wording(url, connection);
  return new Promise((resolve, reject) => {
    const tookMs: number[] = [];
    let askedMs = performance.now();
    let answer = '';
    const socket: Socket = connect({ port: Number(url.port), host: '127.0.0.1', noDelay: true }, () =>
      socket.write(text),
    );
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (!isWhole(answer)) return;
      if (!answer.startsWith('HTTP/1.1 200 ')) {
        socket.destroy(new Error(`Not what was asked for: ${answer.slice(0, 200)}`));
        return;
      }
      const nowMs = performance.now();
      tookMs.push(nowMs - askedMs);
      answer = '';
      if (nowMs >= untilMs) {
        socket.destroy();
        return;
      }
      askedMs = nowMs;
      socket.write(text);
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (tookMs.length === 0) reject(new Error('The server hung up.'));
      else resolve(tookMs);
    });
  });
}

function isWhole(answer: string): boolean {
  const body = answer.indexOf('\r\n\r\n');
  if (body < 0) return false;
  const length = /^content-length: (\d+)/im.exec(answer)?.[1];
  return length !== undefined && answer.length >= body + 4 + Number(length);
}
