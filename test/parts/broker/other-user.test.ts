import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { type Broker, type BrokerPath, startBroker } from '../../../src/broker/index.ts';
import type { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { WindowBroker } from '../../../src/extension/injection/window-broker.ts';
import { skipAloud } from '../../reporting/skip.ts';
import {
  brokerWith,
  countingSource,
  HOST,
  SDK_HEADERS,
  standingClock,
} from '../../unit/broker/broker-harness.ts';

const NOBODY = 65_534;

/** Asks the pointer in its first argument, and says what came of it. */
const ASK = `
import sys, urllib.request as u, urllib.error as e
r = u.Request(sys.argv[1], headers={"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": sys.argv[2]})
try: print(u.urlopen(r).status)
except e.HTTPError as x: print(x.status, x.read().decode())
`;

/** Tries to listen where somebody else does, in every way that a system offers, and says in how many it could. */
const SQUEEZE_IN = `
import itertools, socket, sys
port, could = int(sys.argv[1]), []
kept = []
for address in ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::"]:
    for options in [[], [socket.SO_REUSEADDR], [socket.SO_REUSEPORT], [socket.SO_REUSEADDR, socket.SO_REUSEPORT]]:
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        kept.append(s)
        if ":" in address: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for option in options: s.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            s.bind((address, port))
            s.listen()
            could.append(address)
        except OSError: pass
print("could", could, flush=True)
sys.stdin.read()
`;

/** Serves tokens of its own on the port of its first argument, to whoever asks. */
const SERVE = `
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Served(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"access_token":"of the stranger","token_type":"Bearer","expires_on":1800000120}')
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Served)
print("serving", flush=True)
server.serve_forever()
`;

/** Holds as many connections as it can without asking for anything, and opens those anew that are closed. */
const HOLD = `
import select, socket, sys
port, held = int(sys.argv[1]), {}
poll, said = select.poll(), False
def open():
    try: s = socket.create_connection(("127.0.0.1", port))
    except ConnectionRefusedError: sys.exit()
    held[s.fileno()] = s
    poll.register(s, select.POLLIN | select.POLLHUP)
while True:
    while len(held) < 600: open()
    if not said: print("holding", flush=True)
    said = True
    for fd, _ in poll.poll(100):
        poll.unregister(fd)
        held.pop(fd).close()
`;

describe('broker: a real program of another user', () => {
  const children = new Set<ChildProcess>();
  const source = countingSource(() => ({ accessToken: 'the-token', expiresAtMs: 1_800_003_600_000 }));

  before(function () {
    if (process.platform !== 'linux') skipAloud(this, 'the peer is looked up in /proc');
    if (process.geteuid?.() !== 0) skipAloud(this, 'only root can start a program as somebody else');
  });
  beforeEach(() => (source.calls = 0));
  afterEach(async () => {
    for (const child of children) await end(child);
  });

  /** Runs Python as nobody; gives the first line that it prints. */
  async function asNobody(
    program: string,
    ...args: string[]
  ): Promise<{ child: ChildProcess; said: string }> {
    const child = spawn('python3', ['-c', program, ...args], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] },
    });
    children.add(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return { child, said: String(value) };
  }

  async function end(child: ChildProcess): Promise<void> {
    children.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  const tokenAt = async (url: string): Promise<unknown> => {
    const answer = await fetch(url, { headers: { ...SDK_HEADERS, connection: 'close' } });
    return ((await answer.json()) as { access_token?: string }).access_token;
  };

  it('is refused', async () => {
    await using broker = await brokerWith();
    const { url } = broker.open({ host: HOST, source });
    const { said } = await asNobody(ASK, url, HOST);
    assert.match(said, /^403 .*other_user/);
    assert.equal(source.calls, 0);
  });

  it('serves nobody where the broker listens: it cannot listen there too, by no name and no option', async () => {
    await using broker = await brokerWith();
    const { url } = broker.open({ host: HOST, source });
    const { said } = await asNobody(SQUEEZE_IN, String(broker.port));
    assert.equal(said, 'could []');
    for (let i = 0; i < 20; i += 1) assert.equal(await tokenAt(url), 'the-token');
  });

  it('that took the port between two windows is fled from at once: its tokens are at an address that is given to nobody', async () => {
    const options = { clock: standingClock(), logger: silentLogger, redactor: createRedactor() };
    const strangers: OamError[] = [];
    const window = (): WindowBroker =>
      new WindowBroker({
        start: (port) => startBroker({ ...options, ...(port !== undefined && { port }) }),
        wait: () => assert.fail('waits for a stranger to go'),
        clock: options.clock,
        onStranger: (error) => strangers.push(error),
      });
    const before = window();
    const { port } = await before.ensure();
    const former = (await before.ensure()).open({ host: HOST, source });
    assert.equal(await tokenAt(former.url), 'the-token');
    await before.close();
    const { child } = await asNobody(SERVE, String(port));
    // This is what is at stake: a program of before believes whoever answers.
    assert.equal(await tokenAt(former.url), 'of the stranger');

    const after = window();
    try {
      const broker: Broker = await after.ensure(port);
      const place: BrokerPath = broker.open({ host: HOST, source });
      assert.notEqual(broker.port, port);
      assert.equal(await tokenAt(place.url), 'the-token');
      assert.deepEqual(
        strangers.map(({ code, detail }) => [code, detail]),
        [['port_of_another_user', String(port)]],
      );
      // Whoever was there has seen the path: it is nowhere any more, also when the port is free again.
      await end(child);
      assert.equal((await after.ensure(port)).port, broker.port);
      await assert.rejects(tokenAt(former.url), TypeError);
    } finally {
      await after.close();
    }
  });

  it('keeps nobody from a token by holding connections on which it says nothing', async () => {
    await using broker = await brokerWith();
    const { url } = broker.open({ host: HOST, source });
    const { said } = await asNobody(HOLD, String(broker.port));
    assert.equal(said, 'holding');
    for (let i = 0; i < 50; i += 1) assert.equal(await tokenAt(url), 'the-token');
  });
});
