import { OamError } from '../../domain/errors.ts';
import type { Role } from '../../domain/role.ts';
import { DAY_MS, type EpochMs } from '../../domain/time.ts';
import { PURPOSE_MAX_CHARACTERS, START_MAX_DAYS, WINDOW_MIN_MINUTES } from '../../protocol/limits.ts';

/**
 * The purpose as it is kept: without white space around it.
 *
 * @throws {OamError} `purpose_missing`, `purpose_too_long`.
 */
export function judgePurpose(purpose: string): string {
  const text = purpose.trim();
  if (text === '') {
    throw new OamError('purpose_missing', 'Say what you need the access for, in a few words.');
  }
  const characters = countCharacters(text);
  if (characters > PURPOSE_MAX_CHARACTERS) {
    throw new OamError(
      'purpose_too_long',
      'The purpose is too long. Shorten it, and put the rest into a ticket.',
      {
        detail: `${characters} characters, at most ${PURPOSE_MAX_CHARACTERS}`,
      },
    );
  }
  return text;
}

/**
 * The window in minutes.
 *
 * @throws {OamError} `window_too_short`, `window_too_long`.
 */
export function judgeWindow(minutes: number, role: Pick<Role, 'maxMinutes'>): number {
  if (minutes < WINDOW_MIN_MINUTES) {
    throw new OamError('window_too_short', 'Ask for at least one minute.', {
      detail: `asked for ${minutes}`,
    });
  }
  if (minutes > role.maxMinutes) {
    throw new OamError('window_too_long', 'This role does not last that long. Ask for a shorter time.', {
      detail: `asked for ${minutes} minutes, at most ${role.maxMinutes}`,
    });
  }
  return minutes;
}

/**
 * When access is to begin.
 *
 * @throws {OamError} `start_out_of_range`.
 */
export function judgeStart(startsAt: string | undefined, nowMs: EpochMs): EpochMs | undefined {
  if (startsAt === undefined) return undefined;
  const startsAtMs = Date.parse(startsAt);
  if (startsAtMs > nowMs && startsAtMs - nowMs <= START_MAX_DAYS * DAY_MS) return startsAtMs;
  throw new OamError(
    'start_out_of_range',
    'Access can begin at once or within the next 30 days. Choose another start, or leave it out to begin at once.',
    { detail: startsAt },
  );
}

/** Characters as people count them, not as they are encoded. */
export function countCharacters(text: string): number {
  return [...text].length;
}
