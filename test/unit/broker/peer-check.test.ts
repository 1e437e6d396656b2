import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';

import { brokerWith, countingSource, HOST, wire } from './broker-harness.ts';

describe('broker: whose a connection is', () => {
  /** Asks so many times over one connection, and tells the status of each answer. */
  async function askOver(port: number, path: string, times: number): Promise<string[]> {
    const socket = connect(port, '127.0.0.1');
    const statuses: string[] = [];
    for (let i = 0; i < times; i += 1) {
      socket.write(wire({ port, path: `/${path}`, headers: { Connection: 'keep-alive' } }));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      statuses.push(answer.toString().split(' ')[1] ?? '');
    }
    socket.destroy();
    return statuses;
  }

  const source = countingSource(() => ({ accessToken: 'the-token', expiresAtMs: 1_800_003_600_000 }));

  it('is looked up once for each connection, and for each connection anew', async () => {
    let lookUps = 0;
    const uidOf = () => {
      lookUps += 1;
      return Promise.resolve(process.geteuid?.());
    };
    await using broker = await brokerWith({ uidOf });
    const { path } = broker.open({ host: HOST, source });
    assert.deepEqual(await askOver(broker.port, path, 3), ['200', '200', '200']);
    assert.equal(lookUps, 1);
    assert.deepEqual(await askOver(broker.port, path, 1), ['200']);
    assert.equal(lookUps, 2);
  });

  it('is looked up again where the system did not show it, as it does while others come and go', async () => {
    const shown = [undefined, process.geteuid?.()];
    await using broker = await brokerWith({ uidOf: () => Promise.resolve(shown.shift()) });
    const { path } = broker.open({ host: HOST, source });
    assert.deepEqual(await askOver(broker.port, path, 1), ['200']);
    assert.equal(shown.length, 0);
  });

  it('hangs up on a stranger, so that nothing more is asked over that connection', async () => {
    await using broker = await brokerWith({ uidOf: () => Promise.resolve(undefined) });
    const { path } = broker.open({ host: HOST, source });
    const socket = connect(broker.port, '127.0.0.1');
    const text = wire({ port: broker.port, path: `/${path}`, headers: { Connection: 'keep-alive' } });
    socket.write(text + text);
    let answers = '';
    socket.on('data', (chunk: Buffer) => (answers += chunk.toString()));
    await once(socket, 'close');
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 403']);
  });

  it('is no matter where its program has hung up meanwhile: the system knows nothing of it then, and nobody is accused', async () => {
    const looked = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<undefined>();
    const refusals: string[] = [];
    await using broker = await brokerWith({
      uidOf: () => {
        looked.resolve();
        return gone.promise;
      },
    });
    const { path } = broker.open({ host: HOST, source, onRefusal: ({ code }) => refusals.push(code) });
    const socket = connect(broker.port, '127.0.0.1');
    socket.write(wire({ port: broker.port, path: `/${path}` }));
    await looked.promise;
    socket.resetAndDestroy();
    // The broker has read the end of this connection before that of the next.
    const next = connect(broker.port, '127.0.0.1');
    next.write('no HTTP\r\n\r\n');
    next.resume();
    await once(next, 'close');
    gone.resolve(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(refusals, []);
  });

  it('does not follow a path from one connection to another, nor from one address to the next', async () => {
    await using broker = await brokerWith();
    const { path } = broker.open({ host: HOST, source });
    const socket = connect(broker.port, '127.0.0.1');
    const statuses: string[] = [];
    for (const target of [path, path]) {
      socket.write(wire({ port: broker.port, path: `/${target}`, headers: { Connection: 'keep-alive' } }));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      statuses.push(answer.toString().split(' ')[1] ?? '');
    }
    socket.write(wire({ port: broker.port, path: `/${path}x`, headers: { Connection: 'keep-alive' } }));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    statuses.push(answer.toString().split(' ')[1] ?? '');
    assert.deepEqual(statuses, ['200', '200', '404']);
    socket.destroy();
  });
});
