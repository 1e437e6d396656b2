import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { findUid, listenerUidFromProc, uidFromProc } from '../../../src/broker/peer.ts';
import { skipAloud } from '../../reporting/skip.ts';

const HEADER =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, remote: string, state: string, uid: number) =>
  `   1: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 1287 1 0 20 4 30 10 -1`;
const table = (...rows: string[]) => [HEADER, ...rows, ''].join('\n');

// 127.0.0.1:49152 → 127.0.0.1:8080
const ends = { from: 0xc000, to: 0x1f90 };
const THERE = '0100007F:C000';
const HERE = '0100007F:1F90';

describe('broker: whose program asks', () => {
  it("finds the client's end, not ours", () => {
    const text = table(
      row(HERE, THERE, '01', 7),
      row(THERE, HERE, '01', 1_000),
      row('0100007F:C001', HERE, '01', 8),
    );
    assert.equal(findUid(text, ends, 'LE'), 1_000);
  });

  it('finds it also after the client has said all that it had to say', () => {
    assert.equal(findUid(table(row(THERE, HERE, '05', 1_000)), ends, 'LE'), 1_000);
  });

  it("does not take a closed connection, which is listed as root's, for one of root", () => {
    assert.equal(findUid(table(row(THERE, HERE, '06', 0)), ends, 'LE'), undefined);
  });

  it('finds nothing in an empty, cut or foreign table', () => {
    assert.equal(findUid('', ends, 'LE'), undefined);
    assert.equal(findUid(table(), ends, 'LE'), undefined);
    assert.equal(findUid(table(`   1: ${THERE} ${HERE} 01`), ends, 'LE'), undefined);
    assert.equal(findUid(table(row('0200007F:C000', HERE, '01', 1)), ends, 'LE'), undefined);
  });

  it('reads addresses that are mapped into IPv6, and those of big-endian machines', () => {
    const mapped = '0000000000000000FFFF0000';
    const text = table(row(`${mapped}${THERE}`, `${mapped}${HERE}`, '01', 1_000));
    assert.equal(findUid(text, ends, 'LE'), 1_000);
    assert.equal(findUid(table(row('7F000001:C000', '7F000001:1F90', '01', 5)), ends, 'BE'), 5);
  });

  it('knows the owner of a real connection, over IPv4 and mapped', async function () {
    if (process.platform !== 'linux') skipAloud(this, 'the peer is looked up in /proc');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const uidOf = uidFromProc();
    try {
      for (const host of ['127.0.0.1', '::ffff:127.0.0.1']) {
        const client = connect(port, host);
        const [accepted] = (await once(server, 'connection')) as [Socket];
        const { remoteAddress = '', remotePort = 0, localPort = 0 } = accepted;
        assert.equal(await uidOf({ remoteAddress, remotePort, localPort }), process.geteuid?.());
        client.destroy();
        accepted.destroy();
      }
      assert.equal(await uidOf({ remoteAddress: '127.0.0.1', remotePort: 1, localPort: port }), undefined);
      assert.equal(await uidOf({ remoteAddress: '10.0.0.1', remotePort: 1, localPort: port }), undefined);
    } finally {
      server.close();
    }
  });

  for (const host of ['127.0.0.1', '0.0.0.0', '::', '::ffff:127.0.0.1']) {
    it(`knows who listens on a port by ${host}, and that nobody does`, async function () {
      if (process.platform !== 'linux') skipAloud(this, 'the owner is looked up in /proc');
      const server = createServer().listen(0, host);
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      try {
        assert.equal(await listenerUidFromProc(port), process.geteuid?.());
        // A connection to it is nobody who listens.
        const client = connect(port, '127.0.0.1');
        const [accepted] = (await once(server, 'connection')) as [Socket];
        assert.equal(await listenerUidFromProc(accepted.remotePort ?? 0), undefined);
        client.destroy();
        accepted.destroy();
      } finally {
        server.close();
        await once(server, 'close');
      }
      assert.equal(await listenerUidFromProc(port), undefined);
    });
  }
});
