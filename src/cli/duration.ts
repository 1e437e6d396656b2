import { type EpochMs, MINUTE_MS, minutesToMs } from '../domain/time.ts';
import { UsageError } from './failure.ts';

const UNIT_MINUTES: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1_440 };

/**
 * Reads a time such as `30m`, `8h`, `1h30m` or `2d`, in minutes. How long is too long is the control plane's to say.
 *
 * @throws {UsageError}
 */
export function parseMinutes(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9})([mhd])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new UsageError('This is not a time. Give it like 30m, 8h, 1h30m or 2d.', text);
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT_MINUTES[unit ?? ''] ?? 0), 0);
}

const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;

const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?$/;

/**
 * Reads a moment to come: a time of day (the next one), a date and time (here, unless it names a zone), or `+2h` from
 * now. How far ahead is too far is the control plane's to say.
 *
 * @throws {UsageError}
 */
export function parseMoment(text: string, now: EpochMs): EpochMs {
  if (text.startsWith('+')) return now + minutesToMs(parseMinutes(text.slice(1)));
  const [, hours, minutes] = TIME_OF_DAY.exec(text) ?? [];
  if (hours !== undefined && minutes !== undefined) {
    const moment = new Date(now);
    moment.setHours(Number(hours), Number(minutes), 0, 0);
    if (moment.getTime() <= now) moment.setDate(moment.getDate() + 1);
    return moment.getTime();
  }
  const moment = MOMENT.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new UsageError('This is not a moment. Give it like 14:30, 2026-12-01T09:00 or +2h.', text);
}

/** A length of time for people: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function describeDuration(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.ceil(ms / 1_000))} s`;
  const minutes = Math.floor(ms / MINUTE_MS);
  const [d, h, m] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24, minutes % 60];
  const parts = d > 0 ? [`${d} d`, h > 0 && `${h} h`] : [h > 0 && `${h} h`, m > 0 && `${m} min`];
  return parts.filter(Boolean).join(' ');
}

/** A moment for people, in their own time zone, with the day where it is not today. */
export function describeMoment(at: EpochMs, now: EpochMs): string {
  const moment = new Date(at);
  const time = moment.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  const sameDay = moment.toDateString() === new Date(now).toDateString();
  return sameDay ? time : `${moment.toLocaleDateString('en-CA')} ${time}`;
}
