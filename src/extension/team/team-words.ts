import { DAY_MS, type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import type { GrantView, PersonView } from '../../protocol/schemas.ts';
import type { TeamMemberView, TeamTokenView, UnreadReason } from '../../protocol/team.ts';
import { grantStateWords, type NodeWords, outlivingWords, reviewWords } from '../access-view/node-words.ts';
import type { Reader } from '../reader.ts';
import { dutyWords } from '../approvals/background-words.ts';
import { errorWords } from '../commands/error-words.ts';
import type { Localise } from '../localise.ts';
import { durationWords, momentWords, timeLeftWords } from '../time-words.ts';
import {
  beginningOf,
  endOf,
  factId,
  holderOf,
  isStuck,
  outlives,
  type PersonFacts,
  type TeamFact,
} from './team-data.ts';
import type { TeamState } from './team-model.ts';

/** A token that is older, or has longer to go, is one to talk about, in days. */
const LONG_LIVED_DAYS = 90;

/** What something of somebody's is, in a few words. */
export function factTitle({ l10n }: Pick<Reader, 'l10n'>, fact: TeamFact): string {
  switch (fact.kind) {
    case 'grant':
      return fact.grant.role.title;
    case 'lease':
      return l10n.t('Token for {0}', fact.grant.role.title);
    case 'token':
      return fact.token.comment === ''
        ? l10n.t('Personal access token at {0}', fact.token.workspace.name)
        : l10n.t('Personal access token at {0}: {1}', fact.token.workspace.name, fact.token.comment);
  }
}

/** How something of somebody's stands, in a few words. */
export function factState(reader: Reader, fact: TeamFact): string {
  const { l10n, locale, nowMs } = reader;
  const endsAtMs = endOf(fact);
  switch (fact.kind) {
    case 'grant':
      return fact.grant.state === 'active' && endsAtMs !== undefined
        ? timeLeftWords(l10n, endsAtMs, nowMs)
        : leadsWords(reader, fact.grant);
    case 'lease':
      return outlives(fact)
        ? l10n.t('until {0}, outlives its access', momentWords(locale, endsAtMs ?? nowMs, nowMs))
        : timeLeftWords(l10n, endsAtMs ?? nowMs, nowMs);
    case 'token':
      return [lifeWords(l10n, fact.token, nowMs), useWords(l10n, fact.token, nowMs)].join(', ');
  }
}

/** A grant's state as it reads to who leads its holder. */
function leadsWords(reader: Reader, grant: GrantView): string {
  const { l10n, locale, nowMs } = reader;
  const at = (timestamp: string): string => momentWords(locale, Date.parse(timestamp), nowMs);
  if (grant.state === 'revoke_stuck') {
    return grant.removingSince === null
      ? l10n.t('removal fails')
      : l10n.t('removal fails since {0}', at(grant.removingSince));
  }
  return grant.state === 'active' && grant.endsAt !== null
    ? l10n.t('{0}, until {1}', timeLeftWords(l10n, Date.parse(grant.endsAt), nowMs), at(grant.endsAt))
    : grantStateWords(reader, grant);
}

/** What is to be known of access that does not end, and what can be done. */
function stuckLines(l10n: Localise, { principal, role, trouble }: GrantView): string[] {
  return [
    l10n.t('{0} still has this access at {1}.', principal.displayName, role.workspace.name),
    ...(trouble === null ? [] : [l10n.t('What stands in the way: {0}', trouble)]),
    l10n.t('OAM tries again by itself until it is gone; this line goes with it.'),
    l10n.t(
      'If it cannot wait, ask an administrator of Databricks to take them out of the group of the role.',
    ),
  ];
}

/**
 * A line of the view "Team" about something that ends.
 *
 * @param isBelow Whether the line stands below its holder; elsewhere it says whose it is.
 */
export function factWords(reader: Reader, fact: TeamFact, isBelow = true): NodeWords {
  const label = fact.kind === 'token' ? fact.token.owner.displayName : factTitle(reader, fact);
  const state = factState(reader, fact);
  const description =
    isBelow || fact.kind === 'token' ? state : reader.l10n.t('{0} · {1}', holderOf(fact).displayName, state);
  const tooltip = factLines(reader, fact);
  return {
    ...{ label, description, tooltip },
    icon: factIcon(fact, reader.nowMs),
    spoken: [label, description, ...tooltip].join(', '),
  };
}

function factIcon(fact: TeamFact, nowMs: EpochMs): string {
  switch (fact.kind) {
    case 'grant':
      return fact.grant.state === 'revoke_stuck' ? 'warning' : 'shield';
    case 'lease':
      return outlives(fact) ? 'warning' : 'key';
    case 'token':
      return isLongLived(fact.token, nowMs) ? 'warning' : 'key';
  }
}

function factLines(reader: Reader, fact: TeamFact): string[] {
  const { l10n, locale, nowMs } = reader;
  const at = (timestamp: string): string => momentWords(locale, Date.parse(timestamp), nowMs);
  const who = (person: PersonView): string => `${person.displayName} (${person.userName})`;
  switch (fact.kind) {
    case 'grant':
      return [
        who(fact.grant.principal),
        l10n.t('Purpose: {0}', fact.grant.purpose),
        leadsWords(reader, fact.grant),
        ...reviewWords(l10n, fact.grant),
        ...(fact.grant.outlives === null ? [] : [outlivingWords(l10n, fact.grant.outlives, at)]),
        ...(isStuck(fact)
          ? stuckLines(l10n, fact.grant)
          : fact.grant.trouble === null
            ? []
            : [fact.grant.trouble]),
      ];
    case 'lease':
      return [
        who(fact.grant.principal),
        l10n.t('Issued {0}, good until {1}', at(fact.lease.issuedAt), at(fact.lease.expiresAt)),
        ...(fact.lease.renewals === 0 ? [] : [l10n.t('Renewed {0} times', fact.lease.renewals)]),
        ...(fact.lease.outlives === null
          ? outlives(fact) && fact.grant.endsAt !== null
            ? [l10n.t('Its access ends {0}.', at(fact.grant.endsAt))]
            : []
          : [outlivingWords(l10n, fact.lease.outlives, at)]),
        l10n.t('Purpose: {0}', fact.grant.purpose),
      ];
    case 'token':
      return [
        who(fact.token.owner),
        factTitle(reader, fact),
        lifeWords(l10n, fact.token, nowMs),
        useWords(l10n, fact.token, nowMs),
        l10n.t(
          'It works from anywhere, and OAM cannot end it. Ask its owner, or an administrator of the workspace.',
        ),
      ];
  }
}

/** True for a token that is to be talked about. */
export function isLongLived({ createdAt, expiresAt }: TeamTokenView, nowMs: EpochMs): boolean {
  return (
    expiresAt === null ||
    Date.parse(expiresAt) - nowMs > LONG_LIVED_DAYS * DAY_MS ||
    (createdAt !== null && nowMs - Date.parse(createdAt) > LONG_LIVED_DAYS * DAY_MS)
  );
}

function lifeWords(l10n: Localise, { createdAt, expiresAt }: TeamTokenView, nowMs: EpochMs): string {
  const end =
    expiresAt === null ? l10n.t('without an end') : timeLeftWords(l10n, Date.parse(expiresAt), nowMs);
  return createdAt === null
    ? end
    : l10n.t('{0}, made {1} ago', end, ageWords(l10n, Date.parse(createdAt), nowMs));
}

function useWords(l10n: Localise, { lastUsedAt }: TeamTokenView, nowMs: EpochMs): string {
  if (lastUsedAt === null) return l10n.t('no use is known');
  const days = Math.floor((nowMs - Date.parse(lastUsedAt)) / DAY_MS);
  return days < 1 ? l10n.t('used today') : l10n.t('last used {0} ago', durationWords(l10n, days * 24 * 60));
}

function ageWords(l10n: Localise, sinceMs: EpochMs, nowMs: EpochMs): string {
  const minutes = Math.max(1, Math.floor((nowMs - sinceMs) / MINUTE_MS));
  const day = 24 * 60;
  // Whole days, from two of them on: nobody counts the hours of a year.
  return durationWords(l10n, minutes >= 2 * day ? Math.floor(minutes / day) * day : minutes);
}

/** A person, whose next end comes first. */
export function personWords(reader: Reader, { person, facts }: PersonFacts): NodeWords {
  const { l10n } = reader;
  const first = facts[0];
  const state = first === undefined ? '' : factState(reader, first);
  const description = facts.length > 1 ? l10n.t('{0} · {1} in all', state, facts.length) : state;
  const tooltip = [
    `${person.displayName} (${person.userName})`,
    ...facts.map((fact) => `${factTitle(reader, fact)}: ${factState(reader, fact)}`),
  ];
  return {
    ...{ label: person.displayName, description, tooltip },
    icon: 'account',
    spoken: [person.displayName, description, ...tooltip].join(', '),
  };
}

/** Somebody who waits, or was given nothing for days. */
export function memberWords({ l10n, nowMs }: Reader, member: TeamMemberView): NodeWords {
  const { person, waitingSince, lastApprovedAt, duty, teams } = member;
  const description =
    waitingSince !== null
      ? l10n.t('waiting for {0}', ageWords(l10n, Date.parse(waitingSince), nowMs))
      : lastApprovedAt === null
        ? l10n.t('never given anything')
        : l10n.t('nothing for {0}', ageWords(l10n, Date.parse(lastApprovedAt), nowMs));
  const tooltip = [
    `${person.displayName} (${person.userName})`,
    ...(duty === null ? [] : [dutyWords(l10n, duty)]),
    l10n.t('Team: {0}', teams.join(', ')),
    waitingSince !== null
      ? l10n.t('A request of theirs waits for an answer.')
      : l10n.t('They have asked for nothing that waits. Do they know what they can ask for?'),
  ];
  return {
    ...{ label: person.displayName, description, tooltip },
    icon: waitingSince !== null ? 'clock' : 'person',
    spoken: [person.displayName, description, ...tooltip].join(', '),
  };
}

/** Why the tokens of a workspace are not shown. */
export function unreadWords(l10n: Localise, workspace: string, because: UnreadReason): NodeWords {
  const why = ((): string => {
    switch (because) {
      case 'not_configured':
        return l10n.t(
          'The control plane has nobody to read tokens with. Ask your administrator to configure a reader.',
        );
      case 'not_allowed':
        return l10n.t(
          'Databricks does not let the reader see tokens. Ask your administrator to make it an administrator of the workspace.',
        );
      case 'unavailable':
        return l10n.t('Databricks did not answer. Refresh in a moment.');
    }
  })();
  const label = l10n.t('Not visible at {0}', workspace);
  return { label, description: undefined, tooltip: [why], icon: 'eye-closed', spoken: `${label}, ${why}` };
}

/** The parts of the view, in their order. */
export const TEAM_SECTIONS = ['stuck', 'outlives', 'ends', 'overlooked', 'tokens'] as const;

/** One of {@link TEAM_SECTIONS}. */
export type TeamSection = (typeof TEAM_SECTIONS)[number];

/** The name of a part of the view, and what it means. */
export function teamSectionWords(l10n: Localise, section: TeamSection): readonly [string, string] {
  switch (section) {
    case 'stuck':
      return [
        l10n.t('Does not end'),
        l10n.t('Databricks does not let it be removed yet; OAM tries again until it does'),
      ];
    case 'outlives':
      return [
        l10n.t('Outlives its access'),
        l10n.t('Tokens that are good after the access that they came of'),
      ];
    case 'ends':
      return [l10n.t('Ends soonest'), l10n.t('Access and tokens by person, the soonest end first')];
    case 'overlooked':
      return [
        l10n.t('Waiting or without access'),
        l10n.t('Whose request waits, and who was given nothing for days'),
      ];
    case 'tokens':
      return [
        l10n.t('Personal access tokens'),
        l10n.t('Made at the workspaces by your people; no access of OAM ends them'),
      ];
  }
}

/** A fact as a row of a table: what is seen, and what is written into a file. */
export interface FactRow {
  readonly id: string;
  readonly person: PersonView;
  readonly title: string;
  readonly state: string;
  readonly beginsAtMs: EpochMs | undefined;
  readonly endsAtMs: EpochMs | undefined;
  readonly fact: TeamFact;
}

/** Facts as rows. */
export function factRows(reader: Reader, facts: readonly TeamFact[]): FactRow[] {
  return facts.map((fact) => ({
    id: factId(fact),
    person: holderOf(fact),
    title: factTitle(reader, fact),
    state: factState(reader, fact),
    beginsAtMs: beginningOf(fact),
    endsAtMs: endOf(fact),
    fact,
  }));
}

/** A line above the team: while it is read, which nobody is to take for an empty one, and where it could not be. */
export function teamMessage(l10n: Localise, state: TeamState): string {
  switch (state.kind) {
    case 'unknown':
      return l10n.t('Reading what your teams hold…');
    case 'failed':
      return errorWords(l10n, state.error).message;
    case 'known':
      return state.stale === undefined
        ? ''
        : l10n.t('Not up to date. {0}', errorWords(l10n, state.stale).message);
  }
}
