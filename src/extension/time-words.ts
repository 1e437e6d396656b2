import { type EpochMs, MINUTE_MS } from '../domain/time.ts';
import type { Localise } from './localise.ts';

const MINUTES_PER_HOUR = 60;
const HOURS_PER_DAY = 24;

/** A length of time in words: `30 minutes`, `2 hours`, `1 h 30 min`, `3 days`. */
export function durationWords(l10n: Localise, minutes: number): string {
  if (minutes === 1) return l10n.t('1 minute');
  if (minutes < MINUTES_PER_HOUR) return l10n.t('{0} minutes', minutes);
  const hours = Math.floor(minutes / MINUTES_PER_HOUR);
  const rest = minutes % MINUTES_PER_HOUR;
  if (rest > 0) return l10n.t('{0} h {1} min', hours, rest);
  if (hours === 1) return l10n.t('1 hour');
  if (hours < 2 * HOURS_PER_DAY || hours % HOURS_PER_DAY > 0) return l10n.t('{0} hours', hours);
  return l10n.t('{0} days', hours / HOURS_PER_DAY);
}

/** What is left until a moment: `12 min left`. Rounded down, so that nothing looks longer than it is. */
export function timeLeftWords(l10n: Localise, endsAtMs: EpochMs, nowMs: EpochMs): string {
  const minutes = Math.floor((endsAtMs - nowMs) / MINUTE_MS);
  if (endsAtMs <= nowMs) return l10n.t('ending now');
  if (minutes < 1) return l10n.t('under 1 min left');
  if (minutes < MINUTES_PER_HOUR) return l10n.t('{0} min left', minutes);
  const hours = Math.floor(minutes / MINUTES_PER_HOUR);
  if (hours < 2 * HOURS_PER_DAY) return l10n.t('{0} h {1} min left', hours, minutes % MINUTES_PER_HOUR);
  return l10n.t('{0} days left', Math.floor(hours / HOURS_PER_DAY));
}

/** The time of day to the second: for what was seen to be so. */
export function instantWords(locale: string, atMs: EpochMs, timeZone?: string): string {
  return new Date(atMs).toLocaleTimeString(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    ...(timeZone !== undefined && { timeZone }),
  });
}

/** The time of day, with the date where it is another day. */
export function momentWords(locale: string, atMs: EpochMs, nowMs: EpochMs, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const day = (ms: EpochMs): string => new Date(ms).toLocaleDateString(locale, zone);
  const time = new Date(atMs).toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', ...zone });
  if (day(atMs) === day(nowMs)) return time;
  return new Date(atMs).toLocaleString(locale, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    ...zone,
  });
}
