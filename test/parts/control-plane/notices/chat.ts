import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

import type * as AdaptiveCards from 'adaptivecards';
import { Webhook } from 'standardwebhooks';
import * as z from 'zod/mini';

/** The package's module build cannot be loaded in Node; the other has no types of its own. */
const { AdaptiveCard, SerializationContext, Versions } = createRequire(import.meta.url)(
  'adaptivecards/dist/adaptivecards.js',
) as typeof AdaptiveCards;

/** What a receiver is told to answer; `hang` never does, `drip` begins and never ends. */
export type Answer =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'hang'
  | 'drip'
  | 'lost'
  | 'well';

export interface Taken {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server on loopback that looks at what it gets as Slack, Teams and users of Standard Webhooks do. */
export interface ChatServer extends AsyncDisposable {
  readonly origin: string;
  /** Everything that came, taken or not. */
  readonly came: readonly Taken[];
  /** What was taken, by the path that it came to. */
  taken(path: string): readonly Taken[];
  /** How the next calls of a path are answered; `well` when the list is empty. */
  answers(path: string, ...answers: Answer[]): void;
}

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const Plain = z.strictObject({
  type: z.literal('plain_text'),
  text: z.string().check(z.minLength(1), z.maxLength(3_000)),
  emoji: z.optional(z.boolean()),
});
const Mrkdwn = z.strictObject({ type: z.literal('mrkdwn'), text: z.string().check(z.maxLength(3_000)) });

/** Slack's reference of incoming webhooks and Block Kit, as far as we use it; it refuses what it does not know. */
export const SlackMessage = z.strictObject({
  text: z.string().check(z.minLength(1), z.maxLength(40_000)),
  mrkdwn: z.boolean(),
  unfurl_links: z.boolean(),
  unfurl_media: z.boolean(),
  blocks: z
    .array(
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('section'), text: z.union([Plain, Mrkdwn]) }),
        z.strictObject({
          type: z.literal('actions'),
          elements: z
            .array(
              z.strictObject({
                type: z.literal('button'),
                text: z.strictObject({
                  type: z.literal('plain_text'),
                  text: z.string().check(z.maxLength(75)),
                }),
                url: z.url().check(z.maxLength(3_000)),
              }),
            )
            .check(z.minLength(1), z.maxLength(25)),
        }),
      ]),
    )
    .check(z.minLength(1), z.maxLength(50)),
});

const TeamsMessage = z.strictObject({
  type: z.literal('message'),
  attachments: z
    .array(
      z.strictObject({
        contentType: z.literal('application/vnd.microsoft.card.adaptive'),
        content: z.record(z.string(), z.unknown()),
      }),
    )
    .check(z.length(1)),
});

/** A card of a message, after Microsoft's own reader found nothing wrong with it and nothing that it does not know. */
export function cardOf(body: string): AdaptiveCards.AdaptiveCard {
  const [attachment] = TeamsMessage.parse(JSON.parse(body)).attachments;
  const card = new AdaptiveCard();
  const context = new SerializationContext(Versions.v1_4);
  card.parse(attachment?.content, context);
  const faults = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index).message);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    card.validateProperties().validationEvents.map(({ message }) => message),
    [],
  );
  assert.deepEqual(card.toJSON(), attachment?.content);
  assert.ok(Buffer.byteLength(body) < 28 * 1024, 'Teams takes 28 KB');
  return card;
}

/** What a shape check of the path's kind answers. */
function judge(path: string, headers: IncomingHttpHeaders, body: string): Exclude<Answer, string> {
  try {
    if (path.startsWith('/slack')) {
      SlackMessage.parse(JSON.parse(body));
      return { status: 200, headers: { 'content-type': 'text/html' }, body: 'ok' };
    }
    if (path.startsWith('/teams')) {
      cardOf(body);
      return { status: 202 };
    }
    // By the time in the message: tests move the store's time, and the verifier has the machine's.
    const sentAt = new Date(Number(headers['webhook-timestamp']) * 1_000);
    const signature = new Webhook(SECRET).sign(String(headers['webhook-id']), sentAt, body);
    assert.equal(headers['webhook-signature'], signature);
    return { status: 204 };
  } catch (error) {
    return { status: 400, body: String(error) };
  }
}

export async function startChat(): Promise<ChatServer> {
  const planned = new Map<string, Answer[]>();
  const came: Taken[] = [];
  const taken: Taken[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString('utf8');
      const path = request.url ?? '';
      const message = { path, headers: request.headers, body };
      came.push(message);
      const answer = planned.get(path)?.shift() ?? 'well';
      if (answer === 'hang') return;
      if (answer === 'drip') {
        response.writeHead(200);
        const drip = setInterval(() => response.write(' '), 100);
        response.on('close', () => clearInterval(drip));
        return;
      }
      const good = judge(path, request.headers, body);
      if (answer === 'lost') {
        taken.push(message);
        request.socket.destroy();
        return;
      }
      const { status, headers, body: text } = answer === 'well' ? good : answer;
      if (answer === 'well' && status < 300) taken.push(message);
      response.writeHead(status, headers).end(text ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    came,
    taken: (path) => taken.filter((message) => message.path === path),
    answers: (path, ...answers) => void planned.set(path, answers),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
