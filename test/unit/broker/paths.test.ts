import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type BrokerPath, pointerEnvironment, type Refusal } from '../../../src/broker/index.ts';
import { hasCode, OamError } from '../../../src/domain/errors.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { brokerWith, countingSource, HOST, SDK_HEADERS, sourceOf, standingClock } from './broker-harness.ts';

async function get(place: Pick<BrokerPath, 'url'>, host = HOST) {
  const answer = await fetch(place.url, { headers: { ...SDK_HEADERS, 'X-Databricks-Host': host } });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

const clock = standingClock();

describe('broker: paths', () => {
  it('gives each path its own workspace and its own principal', async () => {
    await using broker = await brokerWith();
    const other = 'https://ml-dev.cloud.databricks.com';
    const person = broker.open({ host: HOST, source: sourceOf(clock, 3_600_000) });
    const role = broker.open({
      host: other,
      source: countingSource(() => ({ accessToken: 'role', expiresAtMs: clock.nowMs() + 3_600_000 })),
    });
    assert.equal((await get(person)).json['access_token'], 'token-1');
    assert.equal((await get(role, other)).json['access_token'], 'role');
    assert.equal((await get(person, other)).json['error'], 'other_workspace');
    assert.equal((await get(role)).json['error'], 'other_workspace');
  });

  it('makes paths of 256 random bits that never repeat', async () => {
    await using broker = await brokerWith();
    const paths = Array.from(
      { length: 50 },
      () => broker.open({ host: HOST, source: sourceOf(clock, 1) }).path,
    );
    assert.equal(new Set(paths).size, 50);
    for (const path of paths) assert.equal(Buffer.from(path, 'base64url').length, 32);
  });

  for (const reason of ['grant_ended', 'signed_out', 'principal_changed', 'closed'] as const) {
    it(`refuses for ever once a path has ended (${reason}), token in hand or not`, async () => {
      await using broker = await brokerWith();
      const refusals: Refusal[] = [];
      const source = sourceOf(clock, 3_600_000);
      const place = broker.open({ host: HOST, source, onRefusal: (refusal) => refusals.push(refusal) });
      assert.equal((await get(place)).status, 200);
      place.end(reason);
      place.end('closed');
      for (let i = 0; i < 3; i += 1) {
        const { status, json } = await get(place);
        assert.deepEqual([status, json['error'], json['access_token']], [410, reason, undefined]);
      }
      assert.equal(source.calls, 1);
      assert.equal(refusals.length, 3);
      assert.throws(
        () => broker.open({ path: place.path, host: HOST, source }),
        (error) => hasCode(error, 'path_ended'),
      );
    });
  }

  it('ends a path by itself when its source says that it is over', async () => {
    await using broker = await brokerWith();
    const source = countingSource((call) => {
      if (call === 1) throw new OamError('grant_ended', 'Over.');
      return { accessToken: 'zombie', expiresAtMs: clock.nowMs() + 3_600_000 };
    });
    const place = broker.open({ host: HOST, source });
    for (let i = 0; i < 2; i += 1) {
      const { status, json } = await get(place);
      assert.deepEqual([status, json['error']], [410, 'grant_ended']);
    }
    assert.equal(source.calls, 1);
  });

  it('ends a path at once when a replacement in the background finds that it is over', async () => {
    const time = standingClock();
    await using broker = await brokerWith({ clock: time });
    const source = countingSource((call) => {
      if (call > 1) throw new OamError('principal_changed', 'Somebody else.');
      return { accessToken: 'first', expiresAtMs: time.nowMs() + 600_000 };
    });
    const place = broker.open({ host: HOST, source });
    await get(place);
    time.advance(500_000);
    await get(place);
    assert.deepEqual((await get(place)).json['error'], 'principal_changed');
  });

  it('gives nothing out that arrives after the end, and calls the fetch off', async () => {
    await using broker = await brokerWith();
    const started = Promise.withResolvers<AbortSignal | undefined>();
    const place = broker.open({
      host: HOST,
      source: {
        token: (signal) => {
          started.resolve(signal);
          return new Promise(() => undefined);
        },
      },
    });
    const asked = get(place);
    const signal = await started.promise;
    place.end('signed_out');
    const { status, json } = await asked;
    assert.deepEqual([status, json['error']], [410, 'signed_out']);
    assert.equal(signal?.aborted, true);
  });

  it('ends a path when it is disposed', async () => {
    await using broker = await brokerWith();
    const place = broker.open({ host: HOST, source: sourceOf(clock, 3_600_000) });
    place[Symbol.dispose]();
    assert.equal((await get(place)).json['error'], 'closed');
  });

  it('comes back at the same port and path, so that pointers of before a reload stay good', async () => {
    const first = await brokerWith();
    const before = first.open({ host: HOST, source: sourceOf(clock, 3_600_000) });
    await get(before);
    await first.close();
    await using second = await brokerWith({ port: first.port });
    const after = second.open({ path: before.path, host: HOST, source: sourceOf(clock, 3_600_000) });
    assert.equal(after.url, before.url);
    assert.equal((await get(before)).status, 200);
  });

  it('says so when its port has another owner', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      await assert.rejects(brokerWith({ port }), (error) => hasCode(error, 'port_taken'));
    } finally {
      other.close();
    }
  });

  it("says whether another user's program has it, because what asks there may be answered with somebody else's tokens", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      const own = process.geteuid?.() ?? 0;
      for (const [listenerUid, code] of [
        [() => Promise.resolve(own + 1), 'port_of_another_user'],
        [() => Promise.resolve(own), 'port_taken'],
        [() => Promise.resolve(undefined), 'port_taken'],
        [() => Promise.reject(new Error('EACCES')), 'port_taken'],
      ] as const) {
        await assert.rejects(brokerWith({ port, listenerUid }), (error) => hasCode(error, code));
      }
    } finally {
      other.close();
    }
  });

  it('listens on this machine only', async () => {
    await using broker = await brokerWith();
    await assert.rejects(fetch(`http://[::1]:${broker.port}/`));
    await assert.rejects(fetch(`http://127.0.0.2:${broker.port}/`));
  });

  it('stops answering when it is closed, also over connections that are open', async () => {
    const broker = await brokerWith();
    const place = broker.open({ host: HOST, source: sourceOf(clock, 3_600_000) });
    await get(place);
    await broker.close();
    await assert.rejects(get(place));
  });

  for (const path of ['short', 'x'.repeat(21), `${'x'.repeat(30)}/..`, 'x'.repeat(129), '']) {
    it(`does not open a path like '${path.slice(0, 12)}' (${path.length})`, async () => {
      await using broker = await brokerWith();
      assert.throws(
        () => broker.open({ path, host: HOST, source: sourceOf(clock, 1) }),
        (error) => hasCode(error, 'path_too_weak'),
      );
    });
  }

  it('does not open one path twice', async () => {
    await using broker = await brokerWith();
    const { path } = broker.open({ host: HOST, source: sourceOf(clock, 1) });
    assert.throws(
      () => broker.open({ path, host: HOST, source: sourceOf(clock, 1) }),
      (error) => hasCode(error, 'path_in_use'),
    );
  });

  for (const host of ['', 'https://', 'https://a.example/path', 'ftp://a.example', 'https://u:p@a.example']) {
    it(`does not open a path for '${host}'`, async () => {
      await using broker = await brokerWith();
      assert.throws(
        () => broker.open({ host, source: sourceOf(clock, 1) }),
        (error) => hasCode(error, 'bad_host'),
      );
    });
  }

  it('registers each path for masking', async () => {
    const redactor = createRedactor();
    await using broker = await brokerWith({ redactor });
    const place = broker.open({ host: HOST, source: sourceOf(clock, 1) });
    assert.ok(!redactor.redact(`see ${place.url}`).includes(place.path));
  });

  it('points at a path without any token', () => {
    assert.deepEqual(pointerEnvironment({ host: HOST, url: 'http://127.0.0.1:1/x' }), {
      DATABRICKS_HOST: HOST,
      DATABRICKS_AUTH_TYPE: 'metadata-service',
      DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:1/x',
    });
  });
});
