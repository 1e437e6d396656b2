import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';

import fc from 'fast-check';

import {
  checkDestination,
  faultOfCallbackUrl,
  faultOfPrivateHost,
  reachOf,
} from '../../../../src/control-plane/callbacks/destination.ts';

/** The special-purpose registries of IANA, written down a second time. */
const SPECIAL_4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4'.split(
    ' ',
  );
const SPECIAL_6 =
  '::/3 4000::/2 8000::/1 2001::/32 2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16 3fff::/20'.split(
    ' ',
  );

// One for each: to a list of version 6 an address of version 4 is a mapped one, which lies in ::/3.
const special = { ipv4: listOf(SPECIAL_4, 'ipv4'), ipv6: listOf(SPECIAL_6, 'ipv6') };

function listOf(nets: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const net of nets) {
    const [address = '', bits = ''] = net.split('/');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/** An address inside a network of version 4. */
const inside4 = fc.constantFrom(...SPECIAL_4).chain((net) => {
  const [address = '', bits = '0'] = net.split('/');
  const size = 2 ** (32 - Number(bits));
  return fc.integer({ min: 0, max: size - 1 }).map((offset) => dotted(numberOf(address) + offset));
});

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

const anything6 = fc.oneof(
  fc.ipV6(),
  fc
    .tuple(
      fc.constantFrom('fe80', 'fc00', 'fdff', 'ff02', '2002', '2001', '100', '64', 'fec0'),
      fc.nat(0xffff),
    )
    .map(([head, tail]) => `${head}::${tail.toString(16)}`),
);

describe('where an address leads', () => {
  it('is public for nothing that the registries keep back', () => {
    fc.assert(
      fc.property(inside4, (address) => {
        assert.notEqual(reachOf(address), 'public');
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        if (special.ipv4.check(address, 'ipv4')) assert.notEqual(reachOf(address), 'public');
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(anything6, (address) => {
        const carriesVersion4 = /^(?:::ffff:|64:ff9b::)/.test(
          new URL(`http://[${address}]`).hostname.slice(1),
        );
        if (special.ipv6.check(address, 'ipv6') && !carriesVersion4)
          assert.notEqual(reachOf(address), 'public');
      }),
      { numRuns: 4_000 },
    );
  });

  it('does not change because an address of version 4 is dressed as one of version 6', () => {
    fc.assert(
      fc.property(fc.oneof(inside4, fc.ipV4()), (address) => {
        const hex = numberOf(address).toString(16).padStart(8, '0');
        const tail = `${hex.slice(0, 4)}:${hex.slice(4)}`;
        for (const dressed of [`::ffff:${address}`, `::ffff:${tail}`, `64:ff9b::${tail}`]) {
          assert.equal(reachOf(dressed), reachOf(address), dressed);
        }
        // As a compatible address, by 6to4, by NAT64 of one's own and by Teredo it leads nowhere.
        for (const dressed of [
          `::${address}`,
          `::${tail}`,
          `2002:${tail}::1`,
          `64:ff9b:1::${tail}`,
          `2001:0:${tail}::`,
        ]) {
          assert.notEqual(reachOf(dressed), 'public', dressed);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('is never a metadata service, a zone of a link, or what is no address', () => {
    for (const address of [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      'fd00:ec2::254',
      '100.100.100.200',
      '168.63.129.16',
      'fe80::1%eth0',
      '0x7f.1',
      '2130706433',
      '',
      'localhost',
    ]) {
      assert.equal(reachOf(address), 'never', address);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isIP(text) === 0) assert.equal(reachOf(text), 'never');
      }),
    );
  });

  it('is public for addresses that the world uses', () => {
    for (const address of ['8.8.8.8', '140.82.121.4', '2606:4700::6810:85e5', '2a00:1450:4001::200e']) {
      assert.equal(reachOf(address), 'public', address);
    }
  });
});

describe('the address of a callback', () => {
  it('may be written in any way, and is read in one', () => {
    fc.assert(
      fc.property(inside4, fc.constantFrom('decimal', 'octal', 'hex', 'mixed', 'mapped'), (address, way) => {
        const parts = address.split('.').map(Number);
        const hosts = {
          decimal: String(numberOf(address)),
          octal: parts.map((part) => `0${part.toString(8)}`).join('.'),
          hex: parts.map((part) => `0x${part.toString(16)}`).join('.'),
          mixed: `0x${parts[0]?.toString(16)}.${numberOf(address) % 2 ** 24}`,
          mapped: `[::ffff:${address}]`,
        };
        assert.notEqual(faultOfCallbackUrl(`https://${hosts[way]}/verify`, []), undefined, hosts[way]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is https, without a user, a query or a fragment', () => {
    assert.equal(faultOfCallbackUrl('https://tickets.example.com:8443/oam/verify', []), undefined);
    for (const bad of [
      'http://tickets.example.com/',
      'ftp://tickets.example.com/',
      'https://user@tickets.example.com/',
      'https://user:secret@tickets.example.com/',
      'https://tickets.example.com/?key=1',
      'https://tickets.example.com/#x',
      'tickets.example.com',
      'http://127.0.0.1:8080/',
      'https://169.254.169.254/latest/meta-data',
    ]) {
      assert.notEqual(faultOfCallbackUrl(bad, []), undefined, bad);
    }
  });

  it('leads inside only where the host is listed, exactly', () => {
    const listed = ['127.0.0.1', '10.0.0.7', '169.254.169.254'];
    assert.equal(faultOfCallbackUrl('http://127.0.0.1:8080/', listed), undefined);
    assert.equal(faultOfCallbackUrl('https://10.0.0.7/', listed), undefined);
    assert.match(faultOfCallbackUrl('https://10.0.0.8/', listed) ?? '', /private net/);
    assert.match(faultOfCallbackUrl('http://10.0.0.7/', listed) ?? '', /https/);
    assert.match(faultOfCallbackUrl('https://169.254.169.254/', listed) ?? '', /no callback may go/);
    for (const host of ['jira.corp.example', '10.0.0.7', '[fd12::1]']) {
      assert.equal(faultOfPrivateHost(host), undefined, host);
    }
    for (const bad of [
      'Jira.corp',
      'jira.corp:443',
      '*.corp',
      'jira.corp/',
      'https://jira.corp',
      '',
      '10.7',
      'a@b',
    ]) {
      assert.notEqual(faultOfPrivateHost(bad), undefined, bad);
    }
  });

  it('is resolved once, and one bad address among good ones closes it', async () => {
    let asked = 0;
    const answer =
      (...addresses: string[]) =>
      () => {
        asked += 1;
        return Promise.resolve(addresses);
      };
    const url = new URL('https://tickets.example.com/');
    assert.deepEqual(await checkDestination(url, [], answer('8.8.8.8', '2606:4700::1')), {
      kind: 'open',
      addresses: [
        { address: '8.8.8.8', family: 4 },
        { address: '2606:4700::1', family: 6 },
      ],
    });
    assert.equal(asked, 1);
    for (const bad of ['10.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', 'fe80::1']) {
      const found = await checkDestination(url, [], answer('8.8.8.8', bad));
      assert.equal(found.kind, 'closed', bad);
    }
    assert.equal((await checkDestination(url, [url.hostname], answer('10.0.0.1'))).kind, 'open');
    // A name that is trusted to lie inside still does not lead to the metadata of the machine.
    assert.equal((await checkDestination(url, [url.hostname], answer('169.254.169.254'))).kind, 'closed');
    assert.equal((await checkDestination(url, [], answer())).kind, 'unknown');
    const lost = () => Promise.reject(new Error('ENOTFOUND'));
    assert.equal((await checkDestination(url, [], lost)).kind, 'unknown');
  });
});
