import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { decodeJwt } from 'jose';
import { sql } from 'kysely';
import * as z from 'zod/mini';

import { principalOf } from '../../../../src/control-plane/authentication/claims.ts';
import { inChange } from '../../../../src/control-plane/changes/change.ts';
import { announce } from '../../../../src/control-plane/events/announce.ts';
import { streamEvents } from '../../../../src/control-plane/events/stream.ts';
import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, startWorld, type World } from '../world.ts';

describe('the feed of events', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  /** The events after a cursor, once one of a kind is among them: others' open transactions hold the feed back. */
  async function shown(client: ControlPlaneClient, after: string, kind: string) {
    for (;;) {
      const page = await client.call('listEvents', { query: { after } });
      if (page.items.some((item) => item.kind === kind)) return page;
      await delay(10);
    }
  }

  const kindsOf = (items: readonly { kind: string }[]): string[] => items.map((item) => item.kind);

  it('begins now, tells everybody what concerns them, in order, and nobody else', async () => {
    const clients = { ana: world.client('ana'), lena: world.client('lena'), omar: world.client('omar') };
    const starts = {
      ana: (await clients.ana.call('listEvents')).nextCursor,
      lena: (await clients.lena.call('listEvents')).nextCursor,
      omar: (await clients.omar.call('listEvents')).nextCursor,
    };
    const request = await world.ask('ana', 'recsys-model-promote');
    const approved = await clients.lena.call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    await world.until(grantOf(approved), 'active');
    const told = await shown(clients.ana, starts.ana, 'grant.active');
    assert.deepEqual(kindsOf(told.items), [
      'request.created',
      'request.approval_added',
      'grant.scheduled',
      'request.approved',
      'grant.provisioning',
      'grant.active',
    ]);
    const rest = await clients.ana.call('listEvents', { query: { after: told.items[3]?.cursor } });
    assert.deepEqual(kindsOf(rest.items), ['grant.provisioning', 'grant.active']);
    assert.deepEqual((await clients.ana.call('listEvents', { query: { after: told.nextCursor } })).items, []);
    const lead = await shown(clients.lena, starts.lena, 'grant.active');
    assert.deepEqual(kindsOf(lead.items), kindsOf(told.items));
    assert.deepEqual((await clients.omar.call('listEvents', { query: { after: starts.omar } })).items, []);
  });

  it('skips nothing that is committed late', async () => {
    const { db } = world.store;
    const client = world.client('ana');
    await client.call('getMe');
    const tell = (requestId: string) => (change: Parameters<typeof announce>[0]) =>
      announce(change, [
        {
          kind: 'request.created',
          requestId,
          concerns: { iss: world.identityProvider.issuer, sub: PEOPLE.ana.sub },
          approvers: [],
          team: 'recsys',
        },
      ]);
    const [early, late] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];
    let cursor = (await client.call('listEvents')).nextCursor;
    const seen: (string | null)[] = [];
    const look = async (): Promise<void> => {
      const page = await client.call('listEvents', { query: { after: cursor } });
      cursor = page.nextCursor;
      seen.push(...page.items.map((item) => item.requestId));
    };
    // The slow transaction draws its number first and commits last.
    await inChange(db, async (change) => {
      await tell(late)(change);
      await inChange(db, tell(early));
      await look();
      assert.deepEqual(seen, [], 'an event was shown before one that precedes it');
    });
    while (seen.length < 2) await look();
    assert.deepEqual([...seen].sort(), [early, late]);
    await look();
    assert.equal(seen.length, 2);
  });

  it('streams, resumes at the last event, and ends with the server', async () => {
    const start = (await world.client('ana').call('listEvents')).nextCursor;
    const request = await world.ask('ana', 'recsys-model-promote');
    const open = async (after: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      const answer = await fetch(`${world.url}/api/v1/events`, {
        headers: {
          authorization: `Bearer ${await world.token('ana')}`,
          accept: 'text/event-stream',
          'last-event-id': after,
        },
      });
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/event-stream/);
      assert.ok(answer.body);
      return answer.body.getReader();
    };
    const readUntil = async (
      reader: ReadableStreamDefaultReader<Uint8Array>,
      kind: string,
    ): Promise<{ text: string; id: string }> => {
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        assert.ok(!done, `the stream ended before ${kind}: ${text}`);
        text += new TextDecoder().decode(value);
        const id = new RegExp(`id: (\\S+)\\nevent: ${kind}\\ndata: \\{.*\\}\\n\\n`).exec(text)?.[1];
        if (id !== undefined) return { text, id };
      }
    };
    const first = await open(start);
    const { id } = await readUntil(first, 'request.created');
    await world.client('ana').call('cancelRequest', { params: { id: request.id } });
    await readUntil(first, 'request.cancelled');
    await first.cancel();

    const second = await open(id);
    const { text } = await readUntil(second, 'request.cancelled');
    assert.doesNotMatch(text, /request\.created/);
    await world.restart();
    let ended = false;
    for (let reads = 0; reads < 10 && !ended; reads += 1) {
      ended = await second.read().then(
        (chunk) => chunk.done,
        () => true,
      );
    }
    assert.ok(ended);
  });

  it('tells a new stream its place, so that one that breaks before the first event misses nothing either', async () => {
    const open = async (headers: Record<string, string>): Promise<Response> =>
      fetch(`${world.url}/api/v1/events`, {
        headers: {
          authorization: `Bearer ${await world.token('ana')}`,
          accept: 'text/event-stream',
          ...headers,
        },
      });
    const textUntil = async (stream: Response, sign: RegExp): Promise<RegExpExecArray> => {
      let text = '';
      for await (const chunk of stream.body ?? []) {
        text += Buffer.from(chunk).toString('utf8');
        const found = sign.exec(text);
        if (found !== null) return found;
      }
      return assert.fail(`The stream ended: ${text}`);
    };
    const [, place = ''] = await textUntil(await open({}), /^id: (\S+)$/m);
    const request = await world.ask('ana', 'recsys-model-promote');
    await textUntil(await open({ 'last-event-id': place }), new RegExp(request.id));
  });
});

describe('a stream that nobody reads', function () {
  this.timeout(20_000);

  it('waits for its reader instead of piling up what it has to say', async () => {
    await using stack = new AsyncDisposableStack();
    const world = await startWorld();
    stack.defer(() => world.close());
    const { db } = world.store;
    const caller = principalOf(decodeJwt(await world.token('ana')), world.config.identity);
    await sql`insert into oam.event (kind, at, iss, sub, audience, team)
      select 'request.created', oam.now(), ${caller.iss}, ${caller.sub}, '[]', 'recsys'
      from generate_series(1, 60000)`.execute(db);
    const responses: ServerResponse[] = [];
    const stop = new AbortController();
    const streams: Promise<void>[] = [];
    const server = createServer((_request, response) => {
      responses.push(response);
      const watch = { subscribe: () => ({ [Symbol.dispose]: () => undefined }) };
      const options = {
        atPresent: () => ({ db, policy: world.policy }),
        watch,
        caller,
        after: '0-0',
        signal: stop.signal,
      };
      streams.push(
        streamEvents(response, {
          ...options,
          reader: () => Promise.resolve(caller),
          endAfterMs: 60_000,
          opened: () => undefined,
        }),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(async () => {
      server.closeAllConnections();
      server.close();
      await Promise.all(streams);
    });
    const { port } = z.object({ port: z.int() }).parse(server.address());
    const reader = connect({ port, host: '127.0.0.1' });
    reader.pause();
    reader.write('GET / HTTP/1.1\r\nHost: oam\r\n\r\n');
    let waiting = -1;
    for (let same = 0; same < 30; same += 1) {
      await delay(10);
      const now = responses[0]?.writableLength ?? 0;
      if (now !== waiting || now === 0) same = 0;
      waiting = now;
    }
    assert.ok(waiting < 200_000, `${waiting} bytes wait in memory`);
    // It ends with the server, though nobody ever read.
    stop.abort();
    await Promise.all(streams);
    reader.destroy();
  });
});
