import assert from 'node:assert/strict';

import { createEventsClient } from '../../../src/protocol/event-stream.ts';
import type { HttpRequest, HttpStreamResponse } from '../../../src/protocol/transport.ts';

const EVENT = {
  cursor: '12-1',
  kind: 'grant.active',
  at: '2026-11-23T10:00:00.000Z',
  requestId: null,
  grantId: 'g1',
};

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  for (const text of texts) yield await Promise.resolve(text);
}

function client(answer: Partial<HttpStreamResponse>) {
  const asked: HttpRequest[] = [];
  const events = createEventsClient({
    baseUrl: 'https://oam.example.com',
    accessToken: () => Promise.resolve('token'),
    stream: (request) => {
      asked.push(request);
      return Promise.resolve({
        status: 200,
        headers: { 'content-type': 'text/event-stream; charset=utf-8' },
        text: pieces(),
        ...answer,
      });
    },
  });
  return { events, asked };
}

async function all<T>(stream: Promise<AsyncIterable<T>>): Promise<T[]> {
  const heard: T[] = [];
  for await (const one of await stream) heard.push(one);
  return heard;
}

const never = new AbortController().signal;

describe('the stream of events', () => {
  it('is opened behind a cursor, and tells of events however they are cut', async () => {
    const text = `id: 12-1\nevent: grant.active\ndata: ${JSON.stringify(EVENT)}\n\n: still here\n\n`;
    const { events, asked } = client({ text: pieces(text.slice(0, 20), text.slice(20, 21), text.slice(21)) });
    const heard = await all(events.follow('11-0', never));
    assert.deepEqual(heard, [EVENT]);
    assert.equal(asked[0]?.url, 'https://oam.example.com/api/v1/events?after=11-0');
    assert.equal(asked[0].headers?.['accept'], 'text/event-stream');
    assert.equal(asked[0].headers['authorization'], 'Bearer token');
  });

  it('passes over what it does not understand', async () => {
    const { events } = client({
      text: pieces(
        'data: {"kind":"of.tomorrow"}\n\n',
        'data: rubbish\n\n',
        `data: ${JSON.stringify(EVENT)}\n\n`,
      ),
    });
    assert.deepEqual(await all(events.follow('11-0', never)), [EVENT]);
  });

  it('is refused as any other call is, and by what does not stream', async () => {
    const problem = {
      type: 'urn:oam:problem:session_expired',
      title: 'Expired',
      status: 401,
      code: 'session_expired',
      detail: 'Sign in again.',
    };
    const refused = client({ status: 401, text: pieces(JSON.stringify(problem)) });
    await assert.rejects(refused.events.follow('1-0', never), { code: 'session_expired' });
    const plain = client({ headers: { 'content-type': 'application/json' }, text: pieces('{"items":[]}') });
    await assert.rejects(plain.events.follow('1-0', never), { code: 'not_the_control_plane' });
  });
});
