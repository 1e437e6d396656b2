import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import type { Invocation } from '../../../src/cli/invocation.ts';
import { createSignalDesk } from '../../../src/cli/signals.ts';
import { createControlPlaneClient } from '../../../src/protocol/client.ts';
import type { ProblemCode } from '../../../src/protocol/problem.ts';
import type { GrantView, RequestView, RoleView } from '../../../src/protocol/schemas.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';

export const NOW = Date.UTC(2027, 0, 15, 12);

const ANA = { iss: 'https://idp.example', sub: 'ana', userName: 'ana@example.com', displayName: 'Ana' };

export function grantView(changes: Partial<GrantView> = {}): GrantView {
  return {
    id: 'g1',
    version: 1,
    requestId: 'r1',
    state: 'active',
    endReason: null,
    principal: ANA,
    role: {
      id: 'ranker-query',
      title: 'Query the ranker',
      workspace: { name: 'ml-prod', host: 'https://ml-prod.cloud.databricks.com' },
      credential: 'member',
    },
    purpose: 'A check',
    minutes: 30,
    createdAt: '2027-01-15T12:00:00.000Z',
    activatedAt: '2027-01-15T12:00:01.000Z',
    endsAt: '2027-01-15T12:30:01.000Z',
    membershipPresentAt: null,
    membershipAbsentAt: null,
    outlives: null,
    trouble: null,
    chainId: changes.id ?? 'g1',
    extends: null,
    successor: null,
    heldSince: null,
    removingSince: null,
    revocation: null,
    review: null,
    startsAt: null,
    ...changes,
  };
}

export function requestView(changes: Partial<RequestView> = {}): RequestView {
  return {
    id: 'r1',
    version: 1,
    state: 'approved',
    requester: ANA,
    role: {
      id: 'ranker-query',
      title: 'Query the ranker',
      gives: 'Queries',
      workspace: 'ml-prod',
      sensitivity: 'low',
      credential: 'member',
    },
    purpose: 'A check',
    ticket: null,
    codeContext: null,
    minutes: 30,
    approvedMinutes: null,
    stages: [],
    actingFor: null,
    approvals: [],
    hash: 'h',
    policyVersion: 'p',
    because: ['The role is of low sensitivity.'],
    createdAt: '2027-01-15T12:00:00.000Z',
    lapsesAt: '2027-01-16T12:00:00.000Z',
    evidence: [],
    grantId: 'g1',
    extends: null,
    startsAt: null,
    breakGlass: false,
    ...changes,
  };
}

export const ROLE: RoleView = {
  id: 'ranker-query',
  title: 'Query the ranker',
  gives: 'Queries',
  workspace: { name: 'ml-prod', host: 'https://ml-prod.cloud.databricks.com' },
  team: 'recsys',
  sensitivity: 'low',
  credential: 'member',
  maxMinutes: 480,
  defaultMinutes: 45,
  breakGlass: false,
  rights: [],
  group: null,
  outlook: { kind: 'granted_at_once', because: [] },
};

/** An answer of the fake: a body, or a problem. */
export type FakeAnswer = { readonly ok: unknown } | { readonly problem: ProblemCode } | Error;

/** What the fake answers by operation, the last answer for ever after. */
export type Script = Readonly<Record<string, readonly FakeAnswer[]>>;

export const ok = (body: unknown): FakeAnswer => ({ ok: body });
export const problem = (code: ProblemCode): FakeAnswer => ({ problem: code });
export const page = (...items: unknown[]): FakeAnswer => ok({ items, nextCursor: null });

/** A control plane that answers by a script and keeps what it was asked. */
export function fakeControlPlane(script: Script, onCall: (operation: string) => void = () => undefined) {
  const calls: string[] = [];
  const bodies: unknown[] = [];
  const asked = new Map<string, number>();
  const transport: HttpTransport = (request) => {
    const operation = `${request.method} ${new URL(request.url).pathname.replace('/api/v1', '')}`;
    calls.push(operation);
    onCall(operation);
    bodies.push(request.body === undefined ? undefined : JSON.parse(request.body));
    const answers = script[operation] ?? [];
    const turn = asked.get(operation) ?? 0;
    asked.set(operation, turn + 1);
    const answer = answers[Math.min(turn, answers.length - 1)];
    if (answer === undefined) return Promise.reject(new Error(`The script has nothing for ${operation}`));
    if (answer instanceof Error) return Promise.reject(answer);
    if ('ok' in answer) return Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(answer.ok) });
    const { problem: code } = answer;
    const text = JSON.stringify({
      ...{ type: `urn:oam:problem:${code}`, title: code, status: 409 },
      ...{ detail: `Refused: ${code}.`, code },
    });
    return Promise.resolve({ status: 409, headers: {}, text });
  };
  const client = createControlPlaneClient({
    baseUrl: 'https://oam.example',
    accessToken: () => Promise.resolve('access-token'),
    transport,
  });
  return { client, transport, calls, bodies };
}

/** An invocation that keeps what was written. */
export function fakeInvocation(changes: Partial<Invocation> = {}) {
  const answers: string[] = [];
  const notes: string[] = [];
  const signals = createSignalDesk();
  const invocation: Invocation = {
    env: {},
    answer: (line) => answers.push(line),
    note: (line) => notes.push(line),
    notePage: (line) => notes.push(line),
    atTerminal: false,
    outlivesTerminal: false,
    clock: { nowMs: () => NOW },
    logger: silentLogger,
    redactor: createRedactor(),
    transport: () => Promise.reject(new Error('Nothing is to be sent')),
    stream: () => Promise.reject(new Error('Nothing is to be sent')),
    signals,
    ...changes,
  };
  return { invocation, answers, notes, signals };
}
