import type { EpochMs } from '../domain/time.ts';
import type { Localise } from './localise.ts';

/** What words depend on besides the thing that they are about. */
export interface Reader {
  readonly l10n: Localise;
  readonly locale: string;
  readonly nowMs: EpochMs;
}
