import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Webhook } from 'standardwebhooks';
import * as z from 'zod/mini';

import { MINUTE_MS } from '../../domain/time.ts';

/** A ticket as its system knows it. */
export interface Ticket {
  readonly title: string;
  readonly status: 'open' | 'closed';
  /** Who works on it; anybody where it is left out. */
  readonly assignee?: string;
}

/** What a verifier was asked, as it understood it. */
export interface VerifierQuestion {
  readonly messageId: string;
  readonly requestId: string;
  readonly userName: string;
  readonly roleId: string;
  readonly purpose: string;
  readonly ticket: string | null;
}

/** A running sample of what a company puts before its ticket system. */
export interface RunningTicketVerifier {
  /** Where OAM sends its questions. */
  readonly url: string;
  /** What came with a good signature, in order; repetitions of one message once. */
  readonly questions: readonly VerifierQuestion[];
  /** Why others were turned away, in order. */
  readonly turnedAway: readonly string[];
  close(): Promise<void>;
}

/** How a sample verifier is set up. */
export interface TicketVerifierOptions {
  /** The secret that it shares with OAM, `whsec_…`. */
  readonly secret: string;
  /** The tickets, by their names. May change while it runs. */
  readonly tickets: Readonly<Record<string, Ticket>>;
  readonly port?: number;
}

const Question = z.object({
  type: z.literal('access.verify'),
  data: z.object({
    requestId: z.string(),
    requester: z.object({ userName: z.string() }),
    role: z.object({ id: z.string() }),
    purpose: z.string(),
    ticket: z.nullable(z.string()),
  }),
});

const BODY_LIMIT_BYTES = 64 * 1024;

/** Messages are remembered for longer than their time can pass for present: five minutes each way. */
const REMEMBER_MS = 11 * MINUTE_MS;

/**
 * Starts a verifier that answers from a list of tickets. It takes only what is signed with its secret, not older (or
 * newer) than five minutes, and looks once at each message: a repetition gets the answer that the message got.
 */
export async function startTicketVerifier({
  secret,
  tickets,
  port = 0,
}: TicketVerifierOptions): Promise<RunningTicketVerifier> {
  const webhook = new Webhook(secret);
  const questions: VerifierQuestion[] = [];
  const turnedAway: string[] = [];
  const answered = new Map<string, { readonly answer: object; readonly atMs: number }>();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'POST') {
      send(response, 405, { error: 'POST a question here.' });
      return;
    }
    const body = await bodyOf(request);
    if (body === undefined) {
      send(response, 413, { error: 'The question is too long.' });
      return;
    }
    const question = understood(webhook, body, request);
    if (typeof question === 'string') {
      turnedAway.push(question);
      send(response, 401, { error: question });
      return;
    }
    const nowMs = Date.now();
    for (const [id, { atMs }] of answered) if (nowMs - atMs > REMEMBER_MS) answered.delete(id);
    const known = answered.get(question.messageId);
    if (known === undefined) questions.push(question);
    const said = known?.answer ?? judgeTicket(question, tickets);
    answered.set(question.messageId, { answer: said, atMs: known?.atMs ?? nowMs });
    send(response, 200, said);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}/verify`,
    questions,
    turnedAway,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What a company's rules about its tickets might be. */
function judgeTicket(
  { ticket, userName }: VerifierQuestion,
  tickets: Readonly<Record<string, Ticket>>,
): object {
  if (ticket === null) return { verified: false, reason: 'no ticket was named' };
  const found = Object.hasOwn(tickets, ticket) ? tickets[ticket] : undefined;
  if (found === undefined) return { verified: false, reason: 'there is no such ticket' };
  const facts = { evidenceId: `tickets/${ticket}`, ticket: { title: found.title, status: found.status } };
  if (found.status !== 'open') return { verified: false, reason: 'the ticket is closed', ...facts };
  if (found.assignee !== undefined && found.assignee !== userName) {
    return { verified: false, reason: 'the ticket is assigned to somebody else', ...facts };
  }
  return { verified: true, ...facts };
}

function understood(webhook: Webhook, body: string, request: IncomingMessage): VerifierQuestion | string {
  const header = (name: string): string => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : '';
  };
  const messageId = header('webhook-id');
  try {
    const { data } = Question.parse(
      webhook.verify(body, {
        'webhook-id': messageId,
        'webhook-timestamp': header('webhook-timestamp'),
        'webhook-signature': header('webhook-signature'),
      }),
    );
    const { requestId, requester, role, purpose, ticket } = data;
    return { messageId, requestId, userName: requester.userName, roleId: role.id, purpose, ticket };
  } catch (error) {
    return error instanceof Error && error.name === 'WebhookVerificationError'
      ? error.message
      : 'The question is not understood';
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_LIMIT_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function send(response: ServerResponse, status: number, answer: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
}
