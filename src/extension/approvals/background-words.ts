import type { BackgroundView } from '../../protocol/background.ts';
import type { Reader } from '../reader.ts';
import type { Localise } from '../localise.ts';
import { durationWords, momentWords } from '../time-words.ts';

/** Who somebody is to the team of the role. */
export function requesterLines(
  { l10n, locale, nowMs }: Reader,
  { requester }: Pick<BackgroundView, 'requester'>,
): string[] {
  return [
    requester.duty === null ? l10n.t('No duty is known.') : dutyWords(l10n, requester.duty),
    standingWords(l10n, requester),
    requester.seenAt === null
      ? l10n.t('They have not signed in yet, so their team is not confirmed.')
      : requester.fresh
        ? l10n.t(
            'Team confirmed by their sign-in {0}',
            momentWords(locale, Date.parse(requester.seenAt), nowMs),
          )
        : l10n.t(
            'Team last confirmed {0}: after your approval, access waits until they have signed in again.',
            momentWords(locale, Date.parse(requester.seenAt), nowMs),
          ),
  ];
}

/** A duty, as people say it. */
export function dutyWords(l10n: Localise, duty: NonNullable<BackgroundView['requester']['duty']>): string {
  switch (duty) {
    case 'data-scientist':
      return l10n.t('Data scientist');
    case 'ops-engineer':
      return l10n.t('Operations engineer');
    case 'auditor':
      return l10n.t('Auditor');
    case 'lead':
      return l10n.t('Team lead');
  }
}

function standingWords(l10n: Localise, { standing, team }: BackgroundView['requester']): string {
  switch (standing) {
    case 'member':
      return l10n.t('Member of the team {0}', team);
    case 'lead':
      return l10n.t('Leads the team {0}', team);
    case 'neither':
      return l10n.t('Not in the team {0}', team);
    case 'unknown':
      return l10n.t('Whether they are in the team {0} is not known.', team);
  }
}

/** What became of what they asked before, in a few sentences. */
export function historyLines(reader: Reader, background: BackgroundView): string[] {
  const { l10n } = reader;
  const { like, breakGlass } = background;
  const counts = [
    ...(like.approved === 0 ? [] : [l10n.t('{0} approved', like.approved)]),
    ...(like.denied === 0 ? [] : [l10n.t('{0} denied', like.denied)]),
    ...(like.open === 0 ? [] : [l10n.t('{0} open', like.open)]),
    ...(like.other === 0 ? [] : [l10n.t('{0} taken back or unanswered', like.other)]),
  ];
  const emergencies = breakGlass.pending + breakGlass.ok + breakGlass.misuse;
  return [
    counts.length === 0
      ? l10n.t('Never asked for this role in the last {0} days.', background.days)
      : l10n.t('Asked for this role in the last {0} days: {1}', background.days, counts.join(', ')),
    ...(emergencies === 0
      ? []
      : [
          l10n.t(
            'Took access in an emergency: {0} found right, {1} found misused, {2} not reviewed yet',
            breakGlass.ok,
            breakGlass.misuse,
            breakGlass.pending,
          ),
        ]),
  ];
}

/** One earlier grant. */
export function earlierGrantWords(
  { l10n, locale, nowMs }: Reader,
  grant: BackgroundView['grants'][number],
): string {
  return l10n.t(
    '{0}: {1} for {2}, {3}',
    momentWords(locale, Date.parse(grant.at), nowMs),
    grant.roleTitle,
    durationWords(l10n, grant.minutes),
    outcomeWords(l10n, grant),
  );
}

function outcomeWords(l10n: Localise, { state, endReason }: BackgroundView['grants'][number]): string {
  if (state === 'failed') return l10n.t('could not be given');
  if (state !== 'ended') return l10n.t('held now');
  switch (endReason) {
    case 'returned':
      return l10n.t('given back early');
    case 'revoked':
      return l10n.t('revoked');
    case 'extended':
      return l10n.t('extended');
    case 'expired':
    case null:
      return l10n.t('ran out');
  }
}

/** One earlier denial. */
export function earlierDenialWords(
  { l10n, locale, nowMs }: Reader,
  denial: BackgroundView['denials'][number],
): string {
  const when = momentWords(locale, Date.parse(denial.at), nowMs);
  const by = denial.by?.displayName ?? l10n.t('policy');
  return denial.reason === null
    ? l10n.t('{0}: {1}, by {2}', when, denial.roleTitle, by)
    : l10n.t('{0}: {1}, by {2}: {3}', when, denial.roleTitle, by, denial.reason);
}
