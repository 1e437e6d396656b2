import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import type { CallbackSettings } from '../../../../src/control-plane/callbacks/settings.ts';
import { HOUR_MS } from '../../../../src/domain/time.ts';
import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import type { RequestView } from '../../../../src/protocol/schemas.ts';
import {
  type RunningTicketVerifier,
  startTicketVerifier,
  type Ticket,
} from '../../../../src/sandbox/ticket-verifier/index.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';
import { askedAt, policyWithTickets, ROLE, SECRET } from './asked-world.ts';

describe('a request that callbacks are asked about', function () {
  this.timeout(30_000);
  let world: World;
  let verifier: RunningTicketVerifier;
  let tickets: Record<string, Ticket>;
  const stack: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const undo of stack.splice(0).reverse()) await undo();
  });

  const begin = async (urls?: Record<string, string>, more?: Partial<CallbackSettings>): Promise<void> => {
    tickets = { 'ML-123': { title: 'The drop in clicks', status: 'open' } };
    verifier = await startTicketVerifier({ secret: SECRET, tickets });
    stack.push(() => verifier.close());
    world = await startWorld({ callbacks: askedAt(urls ?? { tickets: verifier.url }, more) });
    stack.push(() => world.close());
    const policy = await policyWithTickets(world.databricks.workspaces);
    await world.restart(() => policy);
  };

  const serve = async (listener: RequestListener): Promise<string> => {
    const server: Server = createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.push(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };

  const ask = (
    ticket?: string,
    {
      client = world.client('ana'),
      ...more
    }: {
      client?: ControlPlaneClient;
      idempotencyKey?: string;
      signal?: AbortSignal;
      breakGlass?: boolean;
    } = {},
  ): Promise<RequestView> => {
    const { breakGlass, ...call } = more;
    return client.call('createRequest', {
      body: {
        roleId: ROLE,
        purpose: 'Promote version 7',
        minutes: 30,
        ...(ticket !== undefined && { ticket }),
        ...(breakGlass !== undefined && { breakGlass }),
      },
      ...call,
    });
  };

  it('is granted at once where its ticket is confirmed, and the evidence stays with it', async () => {
    await begin();
    const request = await ask('ML-123');
    assert.equal(request.state, 'approved');
    assert.deepEqual(request.because, ["A ticket that 'tickets' confirms opens the promotion at once."]);
    const [word] = request.evidence;
    assert.deepEqual(
      { ...word, at: undefined, goodUntil: undefined },
      {
        callback: 'tickets',
        verdict: 'confirmed',
        reason: null,
        evidenceId: 'tickets/ML-123',
        ticketTitle: 'The drop in clicks',
        ticketStatus: 'open',
        at: undefined,
        goodUntil: undefined,
      },
    );
    const [question] = verifier.questions;
    assert.equal(verifier.questions.length, 1);
    assert.equal(question?.requestId, request.id);
    assert.equal(question?.roleId, ROLE);
    assert.equal(question?.purpose, 'Promote version 7');
    assert.deepEqual(verifier.turnedAway, []);
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const created = items.find((row) => row.event === 'request.created' && row.requestId === request.id);
    assert.match(JSON.stringify(created?.detail), /"callback":"tickets".*"evidenceId":"tickets\/ML-123"/);
    await world.until(grantOf(request), 'active');
  });

  it('goes to the approvers where it is not confirmed, who see why', async () => {
    await begin();
    tickets['ML-9'] = { title: 'Old\n\u202eApproved by security\u2028', status: 'closed' };
    for (const [ticket, reason, title] of [
      ['ML-404', 'there is no such ticket', null],
      ['ML-9', 'the ticket is closed', 'Old Approved by security'],
    ] as const) {
      const request = await ask(ticket);
      assert.equal(request.state, 'pending');
      const { items } = await world.client('lena').call('listRequests', { query: { scope: 'to_approve' } });
      const [word] = items[0]?.evidence ?? [];
      assert.deepEqual([word?.verdict, word?.reason, word?.ticketTitle], ['refuted', reason, title]);
      await world
        .client('ana')
        .call('cancelRequest', { params: { id: request.id }, version: request.version });
    }
  });

  it('binds the word of an approver to the evidence', async () => {
    await begin();
    const first = await ask('ML-404');
    await world.client('ana').call('cancelRequest', { params: { id: first.id }, version: first.version });
    tickets['ML-404'] = { title: 'Now there is one', status: 'closed' };
    const second = await ask('ML-404');
    assert.notEqual(second.hash, first.hash);
  });

  it('is refused in an emergency whose ticket is not confirmed, and told why', async () => {
    await begin();
    const problem = await refused(ask('ML-404', { breakGlass: true }), 'refused_by_policy');
    assert.deepEqual(problem.explanation, [
      'In an emergency the ticket must be confirmed.',
      'The ticket ML-404 is not confirmed by tickets: there is no such ticket.',
    ]);
    const request = await ask('ML-123', { breakGlass: true });
    assert.equal(request.state, 'approved');
  });

  it('is not asked about twice for one Idempotency-Key, one after the other or at the same time', async () => {
    await begin();
    const [one, two] = await Promise.all([
      ask('ML-123', { idempotencyKey: 'the-same-key-0001' }),
      ask('ML-123', { idempotencyKey: 'the-same-key-0001' }),
    ]);
    const three = await ask('ML-123', { idempotencyKey: 'the-same-key-0001' });
    assert.deepEqual([two, three], [one, one]);
    assert.equal(verifier.questions.length, 1);
  });

  it('is not asked about where policy refuses it whatever is said, nor what the caller may not see', async () => {
    await begin();
    await refused(ask('ML-123', { client: world.client('aude') }), 'refused_by_policy');
    await refused(ask('ML-123', { client: world.client('omar') }), 'unknown_role');
    await world.ask('ana', 'recsys-endpoint-query');
    assert.deepEqual(verifier.questions, []);
  });

  it('is asked about anew when it is to last longer', async () => {
    await begin();
    const request = await ask('ML-123');
    await world.until(grantOf(request), 'active');
    tickets['ML-123'] = { title: 'The drop in clicks', status: 'closed' };
    const longer = await world.client('ana').call('extendGrant', {
      params: { id: grantOf(request) },
      version: (await world.client('ana').call('getGrant', { params: { id: grantOf(request) } })).version,
      body: { minutes: 10 },
    });
    assert.equal(longer.state, 'pending');
    assert.equal(longer.evidence[0]?.verdict, 'refuted');
    assert.equal(verifier.questions.length, 2);
  });

  const troubles: Readonly<Record<string, [reason: string, listener: RequestListener]>> = {
    'says nothing': ['no answer in 1 s', () => undefined],
    fails: ['it answered with status 500', (_, response) => response.writeHead(500).end()],
    'answers with something else': [
      'its answer is not of the agreed form',
      (_, response) =>
        response.setHeader('content-type', 'application/json').end('{"verified":true,"approved":true}'),
    ],
    'says yes as a text': [
      'its answer is not of the agreed form',
      (_, response) => response.setHeader('content-type', 'application/json').end('{"verified":"true"}'),
    ],
    'says half of it': [
      'its answer is not JSON',
      (_, response) => response.setHeader('content-type', 'application/json').end('{"verified":true'),
    ],
    'sends a sign-in page': [
      'its answer is not JSON',
      (_, response) => response.setHeader('content-type', 'text/html').end('{"verified":true}'),
    ],
  };
  for (const [what, [reason, listener]] of Object.entries(troubles)) {
    it(`is granted nothing by a callback that ${what}`, async () => {
      await begin({ tickets: await serve(listener) }, { timeoutSeconds: 1 });
      const request = await ask('ML-123');
      assert.equal(request.state, 'pending');
      assert.deepEqual([request.evidence[0]?.verdict, request.evidence[0]?.reason], ['unanswered', reason]);
    });
  }

  it('spares a callback that is dead', async () => {
    let asked = 0;
    const url = await serve((request) => {
      asked += 1;
      request.socket.destroy();
    });
    await begin({ tickets: url });
    for (let round = 0; round < 8; round += 1) {
      const request = await ask('ML-123');
      assert.equal(request.state, 'pending');
      await world
        .client('ana')
        .call('cancelRequest', { params: { id: request.id }, version: request.version });
    }
    assert.equal(asked, 5);
    const request = await ask('ML-123');
    assert.match(request.evidence[0]?.reason ?? '', /spared/);
  });

  it('comes to nothing where its sender goes away while callbacks think, and they are let go', async () => {
    const arrived = new EventEmitter();
    const url = await serve((request) => {
      arrived.emit('question');
      request.socket.once('close', () => arrived.emit('gone'));
    });
    await begin({ tickets: url }, { timeoutSeconds: 10 });
    const leaving = new AbortController();
    const question = once(arrived, 'question');
    const call = ask('ML-123', { signal: leaving.signal }).catch(() => undefined);
    await question;
    const gone = once(arrived, 'gone');
    leaving.abort();
    await Promise.all([gone, call]);
    const { items } = await world.client('ana').call('listRequests', { query: { scope: 'mine' } });
    assert.deepEqual(items, []);
  });

  it('is asked about again while it waits, and judged anew where the answer is another', async () => {
    let answer = '{"verified":false,"reason":"there is no such ticket"}';
    const url = await serve((_, response) =>
      response.setHeader('content-type', 'application/json').end(answer),
    );
    await begin({ tickets: url });
    const request = await ask('ML-7');
    assert.equal(request.state, 'pending');
    answer = '{"verified":true,"ticket":{"status":"open"}}';
    await world.advance(13 * HOUR_MS);
    const auditor = world.client('aude');
    const look = () => auditor.call('getRequest', { params: { id: request.id } });
    let now = await look();
    while (now.evidence[0]?.verdict !== 'confirmed') {
      await delay(50);
      now = await look();
    }
    // Granted at once, as soon as the requester, who has not been seen since yesterday, is.
    assert.equal(now.state, 'awaiting_requester');
    assert.notEqual(now.hash, request.hash);
    assert.equal(now.because[0], 'What callbacks say of ticket and purpose is not what it was.');
    const seen = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.equal(seen.state, 'approved');
  });

  it('counts for longer, under the same hash, where callbacks say the same again', async () => {
    const url = await serve((_, response) =>
      response.setHeader('content-type', 'application/json').end('{"verified":false,"reason":"closed"}'),
    );
    await begin({ tickets: url });
    const request = await ask('ML-7');
    await world.advance(13 * HOUR_MS);
    const auditor = world.client('aude');
    const look = () => auditor.call('getRequest', { params: { id: request.id } });
    let now = await look();
    while (now.evidence[0]?.goodUntil === request.evidence[0]?.goodUntil) {
      await delay(50);
      now = await look();
    }
    assert.deepEqual([now.state, now.hash, now.version], ['pending', request.hash, request.version]);
    assert.equal(now.evidence[0]?.at, request.evidence[0]?.at);
  });

  it('is told beforehand what hangs on a confirmation', async () => {
    await begin();
    const { items } = await world.client('ana').call('listRoles');
    const role = items.find(({ id }) => id === ROLE);
    assert.equal(role?.outlook.kind, 'needs_approval');
    assert.deepEqual(role.ifConfirmed?.by, ['tickets']);
    assert.equal(role.ifConfirmed.outlook.kind, 'granted_at_once');
    assert.equal(items.find(({ id }) => id === 'recsys-endpoint-query')?.ifConfirmed, undefined);
    assert.equal(verifier.questions.length, 0);
  });

  it('sends no token that somebody pasted into the purpose', async () => {
    await begin();
    await world.client('ana').call('createRequest', {
      body: {
        roleId: ROLE,
        purpose: 'use dapi0123456789abcdef0123456789abcdef',
        minutes: 5,
        ticket: 'ML-123',
      },
    });
    assert.doesNotMatch(JSON.stringify(verifier.questions), /dapi0123/);
  });
});
