import type { EpochMs } from '../../domain/time.ts';
import type { Reader } from '../reader.ts';
import { csvOf } from '../csv.ts';
import { endingFacts, type TeamData, type TeamFact } from './team-data.ts';
import { factRows } from './team-words.ts';

/** The columns, in the words of the API, so that a file reads the same in every language. */
const HEADER = [
  'kind',
  'person',
  'user_name',
  'what',
  'state',
  'workspace',
  'begins_at',
  'ends_at',
  'outlives_until',
  'last_used_at',
  'purpose',
  'id',
] as const;

/** All that the view shows that ends, as comma-separated values. */
export function teamCsv(reader: Reader, data: TeamData): string {
  const facts: TeamFact[] = [
    ...endingFacts(data),
    ...data.tokens.map((token) => ({ kind: 'token', token }) as const),
  ];
  return csvOf(
    HEADER,
    factRows(reader, facts).map(({ fact, person, title, beginsAtMs, endsAtMs }) => [
      fact.kind,
      person.displayName,
      person.userName,
      title,
      stateOf(fact),
      fact.kind === 'token' ? fact.token.workspace.name : fact.grant.role.workspace.name,
      timestamp(beginsAtMs),
      timestamp(endsAtMs),
      fact.kind === 'lease' ? (fact.lease.outlives?.until ?? '') : '',
      fact.kind === 'token' ? (fact.token.lastUsedAt ?? '') : '',
      fact.kind === 'token' ? '' : fact.grant.purpose,
      idOf(fact),
    ]),
  );
}

function stateOf(fact: TeamFact): string {
  switch (fact.kind) {
    case 'grant':
      return fact.grant.state;
    case 'lease':
      return fact.lease.state;
    case 'token':
      return '';
  }
}

function idOf(fact: TeamFact): string {
  switch (fact.kind) {
    case 'grant':
      return fact.grant.id;
    case 'lease':
      return fact.lease.id;
    case 'token':
      return fact.token.tokenId;
  }
}

function timestamp(atMs: EpochMs | undefined): string {
  return atMs === undefined ? '' : new Date(atMs).toISOString();
}
