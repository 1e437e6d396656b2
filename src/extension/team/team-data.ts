import { DAY_MS, type EpochMs } from '../../domain/time.ts';
import type { CallOutput, ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView, PersonView } from '../../protocol/schemas.ts';
import type { TeamLeaseView, TeamMemberView, TeamTokenView, UnreadReason } from '../../protocol/team.ts';
import { allPages } from '../../protocol/all-pages.ts';

/** What a lead sees of their teams, as the control plane told it at one moment. */
export interface TeamData {
  /** Access that is not over. */
  readonly grants: readonly GrantView[];
  /** Credentials that are good now, also those whose access is over. */
  readonly leases: readonly TeamLeaseView[];
  readonly members: readonly TeamMemberView[];
  /** Personal access tokens at the workspaces. */
  readonly tokens: readonly TeamTokenView[];
  readonly unread: readonly { readonly workspace: string; readonly because: UnreadReason }[];
}

/** Whoever was given nothing for so long is shown. */
const LONG_MS = 3 * DAY_MS;

/** Reads everything, list by list to its end. */
export async function loadTeam(client: ControlPlaneClient, signal?: AbortSignal): Promise<TeamData> {
  const options = signal === undefined ? {} : { signal };
  const unread: TeamData['unread'][number][] = [];
  const [grants, leases, members, tokens] = await Promise.all([
    allPages((query) =>
      client.call('listGrants', { query: { ...query, scope: 'team', open: 'true' }, ...options }),
    ),
    allPages((query) => client.call('listTeamLeases', { query, ...options })),
    allPages((query) => client.call('listTeamMembers', { query, ...options })),
    allPages(async (query) => {
      const page: CallOutput<'listTeamTokens'> = await client.call('listTeamTokens', { query, ...options });
      if (query.cursor === undefined) unread.push(...page.unread);
      return page;
    }),
  ]);
  return { grants, leases, members, tokens, unread };
}

/** Something of somebody's that ends: what trees, pictures and tables show. */
export type TeamFact =
  | { readonly kind: 'grant'; readonly grant: GrantView }
  | ({ readonly kind: 'lease' } & TeamLeaseView)
  | { readonly kind: 'token'; readonly token: TeamTokenView };

/** A stable id. */
export function factId(fact: TeamFact): string {
  switch (fact.kind) {
    case 'grant':
      return `grant/${fact.grant.id}`;
    case 'lease':
      return `lease/${fact.lease.id}`;
    case 'token':
      return `token/${fact.token.workspace.name}/${fact.token.tokenId}`;
  }
}

/** Whose it is. */
export function holderOf(fact: TeamFact): PersonView {
  return fact.kind === 'token' ? fact.token.owner : fact.grant.principal;
}

/** When it ends; undefined where that is not known or never. What does not let itself be removed ends at no time that was set. */
export function endOf(fact: TeamFact): EpochMs | undefined {
  if (isStuck(fact)) return undefined;
  const end = ((): string | null => {
    switch (fact.kind) {
      case 'grant':
        return fact.grant.endsAt;
      case 'lease':
        return fact.lease.expiresAt;
      case 'token':
        return fact.token.expiresAt;
    }
  })();
  return end === null ? undefined : Date.parse(end);
}

/** When it began, or is to. */
export function beginningOf(fact: TeamFact): EpochMs | undefined {
  const beginning = ((): string | null => {
    switch (fact.kind) {
      case 'grant':
        return fact.grant.activatedAt ?? fact.grant.startsAt ?? fact.grant.createdAt;
      case 'lease':
        return fact.lease.issuedAt;
      case 'token':
        return fact.token.createdAt;
    }
  })();
  return beginning === null ? undefined : Date.parse(beginning);
}

/** True where a credential is, or will be, good after the access that it was issued under. */
export function outlives(fact: TeamFact): boolean {
  if (fact.kind !== 'lease') return false;
  const { lease, grant } = fact;
  return (
    lease.outlives !== null ||
    (grant.endsAt !== null && Date.parse(lease.expiresAt) > Date.parse(grant.endsAt))
  );
}

/** True where Databricks does not let the access be ended. */
export function isStuck(fact: TeamFact): boolean {
  return fact.kind === 'grant' && fact.grant.state === 'revoke_stuck';
}

/** Access and credentials, the soonest end first, those without a known end last. */
export function endingFacts({ grants, leases }: Pick<TeamData, 'grants' | 'leases'>): TeamFact[] {
  const facts: TeamFact[] = [
    ...grants.map((grant) => ({ kind: 'grant', grant }) as const),
    ...leases.map((each) => ({ kind: 'lease', ...each }) as const),
  ];
  return facts.sort(byEnd);
}

function byEnd(a: TeamFact, b: TeamFact): number {
  return (endOf(a) ?? Infinity) - (endOf(b) ?? Infinity) || factId(a).localeCompare(factId(b));
}

/** One person with all that they have. */
export interface PersonFacts {
  readonly person: PersonView;
  readonly facts: readonly TeamFact[];
}

/** By person, whose next end is soonest first. */
export function byPerson(facts: readonly TeamFact[]): PersonFacts[] {
  const people = new Map<string, { person: PersonView; facts: TeamFact[] }>();
  for (const fact of facts) {
    const person = holderOf(fact);
    const key = `${person.iss}\n${person.sub}`;
    const known = people.get(key);
    if (known === undefined) people.set(key, { person, facts: [fact] });
    else known.facts.push(fact);
  }
  return [...people.values()];
}

/** Who waits for a word, the longest first, then who was given nothing for days. */
export function overlooked(members: readonly TeamMemberView[], nowMs: EpochMs): TeamMemberView[] {
  const waiting = members
    .filter(({ waitingSince }) => waitingSince !== null)
    .sort((a, b) => (a.waitingSince ?? '').localeCompare(b.waitingSince ?? ''));
  const without = members.filter(
    ({ waitingSince, lastApprovedAt, openGrants, duty }) =>
      waitingSince === null &&
      // Who leads needs no access to do so.
      duty !== 'lead' &&
      openGrants === 0 &&
      (lastApprovedAt === null || nowMs - Date.parse(lastApprovedAt) >= LONG_MS),
  );
  return [...waiting, ...without];
}
