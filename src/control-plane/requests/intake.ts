import { OamError } from '../../domain/errors.ts';
import type { Role } from '../../domain/role.ts';
import { PURPOSE_MAX_CHARACTERS, WINDOW_MIN_MINUTES } from '../../protocol/limits.ts';

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

/** Characters as people count them, not as they are encoded. */
export function countCharacters(text: string): number {
  return [...text].length;
}
