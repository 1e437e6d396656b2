import type { Localise } from '../localise.ts';

/** The longest reason that the control plane takes, in characters. */
const REASON_MAX_CHARACTERS = 1_000;

/** What is wrong with a reason, in words, or undefined. */
export function faultOfReason(l10n: Localise, text: string): string | undefined {
  if (text.trim() === '') return l10n.t('Give a reason.');
  return text.trim().length > REASON_MAX_CHARACTERS
    ? l10n.t('Shorten it to {0} characters.', REASON_MAX_CHARACTERS)
    : undefined;
}
