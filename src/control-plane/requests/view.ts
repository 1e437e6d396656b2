import type { Kysely } from 'kysely';

import type { Principal, PrincipalKey } from '../../domain/principal.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { speakersOf } from '../../domain/request.ts';
import type { ApprovalStage } from '../../domain/role.ts';
import type { StageView } from '../../protocol/approvers.ts';
import type { Evidence } from '../../domain/evidence.ts';
import type { EvidenceView, PersonView, RequestView } from '../../protocol/schemas.ts';
import { findPrincipals } from '../authentication/principals.ts';
import type { Database } from '../store/tables.ts';
import type { StoredRequest } from './rows.ts';

/** Somebody as others read them. */
export function viewPerson(person: Pick<Principal, 'iss' | 'sub' | 'userName' | 'displayName'>): PersonView {
  return { iss: person.iss, sub: person.sub, userName: person.userName, displayName: person.displayName };
}

/** A stage as its requester and its approvers read it. */
export function viewStage(stage: ApprovalStage): StageView {
  const attributes = Object.entries(stage.approverAttributes ?? {});
  return {
    approverGroups: [...stage.approverGroups],
    approverDuty: stage.approverDuty ?? null,
    approverAttributes: Object.fromEntries(attributes.map(([name, values]) => [name, [...values]])),
    ofTeam: stage.ofTeam?.name ?? null,
    quorum: stage.quorum,
  };
}

/** Finds people by their keys; somebody who was never here is called by their subject. */
export function personFinder(people: readonly Principal[]): (key: PrincipalKey) => PersonView {
  return (key) => {
    const person = people.find((candidate) => samePrincipal(candidate, key));
    return viewPerson(person ?? { iss: key.iss, sub: key.sub, userName: key.sub, displayName: key.sub });
  };
}

/** A point in time as it travels. */
export function timestamp(atMs: number): string;
export function timestamp(atMs: number | undefined): string | null;
export function timestamp(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}

function viewEvidence(word: Evidence): EvidenceView {
  const particulars = word.verdict === 'unanswered' ? undefined : word;
  return {
    callback: word.callback,
    verdict: word.verdict,
    reason: word.reason ?? null,
    evidenceId: particulars?.evidenceId ?? null,
    ticketTitle: particulars?.ticketTitle ?? null,
    ticketStatus: particulars?.ticketStatus ?? null,
    at: timestamp(word.atMs),
    goodUntil: timestamp(word.goodUntilMs),
  };
}

/** Requests as their requesters, approvers and auditors see them. */
export async function viewRequests(
  db: Kysely<Database>,
  requests: readonly StoredRequest[],
): Promise<RequestView[]> {
  const keys = requests.flatMap((request) => [request.requester, ...request.approvals.flatMap(speakersOf)]);
  const personOf = personFinder(await findPrincipals(db, keys));
  return requests.map((request) => ({
    id: request.id,
    version: request.version,
    state: request.state,
    requester: personOf(request.requester),
    role: {
      id: request.role.id,
      title: request.role.title,
      gives: request.role.gives,
      workspace: request.role.workspace,
      sensitivity: request.role.sensitivity,
      credential: request.role.credential,
    },
    purpose: request.purpose,
    ticket: request.ticket ?? null,
    codeContext: request.codeContext ?? null,
    minutes: request.minutes,
    startsAt: timestamp(request.startsAtMs),
    breakGlass: request.breakGlass,
    approvedMinutes: request.approvedMinutes ?? null,
    stages: request.stages.map(viewStage),
    actingFor: null,
    approvals: request.approvals.map((approval) => ({
      stage: approval.stage,
      approver: personOf(approval.approver),
      onBehalfOf: approval.delegation === undefined ? null : personOf(approval.delegation.delegator),
      verdict: approval.verdict,
      comment: approval.comment ?? null,
      at: timestamp(approval.atMs),
    })),
    hash: request.hash,
    policyVersion: request.policyVersion,
    because: [...request.because],
    createdAt: timestamp(request.createdAtMs),
    lapsesAt: timestamp(request.lapsesAtMs),
    grantId: request.grantId ?? null,
    extends: request.extension?.grantId ?? null,
    evidence: request.evidence.map(viewEvidence),
  }));
}

/** One request. */
export async function viewRequest(db: Kysely<Database>, request: StoredRequest): Promise<RequestView> {
  const [view] = await viewRequests(db, [request]);
  if (view === undefined) throw new TypeError('A request has one view.');
  return view;
}
