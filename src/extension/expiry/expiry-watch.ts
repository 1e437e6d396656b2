import { type Clock, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { GrantView, RequestView } from '../../protocol/schemas.ts';
import { dueWarnings, type ExpiryWarning } from './expiry-warnings.ts';

/** What {@link ExpiryWatch} needs. */
export interface ExpiryWatchOptions {
  readonly access: () =>
    { readonly grants: readonly GrantView[]; readonly requests: readonly RequestView[] } | undefined;
  readonly clock: Clock;
  /** True for the first of the person's windows that says so. */
  readonly claim: (what: string) => Promise<boolean>;
  readonly isFocused: () => boolean;
  readonly wait: (ms: number) => Promise<void>;
  readonly show: (warnings: readonly ExpiryWarning[]) => void;
}

/** What is due within this time of another warning is said with it. */
const TOGETHER_MS = 2 * MINUTE_MS;

/** So long a window that nobody looks at lets the one in front go first. */
const COURTESY_MS = 3 * SECOND_MS;

/** Warns of access that is about to end: once, in one of the person's windows, and of several ends together. */
export class ExpiryWatch {
  readonly #options: ExpiryWatchOptions;
  readonly #given = new Set<string>();

  constructor(options: ExpiryWatchOptions) {
    this.#options = options;
  }

  /** Gives the warnings that are due. */
  async look(): Promise<void> {
    const { claim, isFocused, wait, show } = this.#options;
    const due = this.#due();
    for (const { key } of due) this.#given.add(key);
    if (due.length === 0) return;
    if (!isFocused()) await wait(COURTESY_MS);
    const claimed: ExpiryWarning[] = [];
    for (const warning of due) if (await claim(warning.key)) claimed.push(warning);
    if (claimed.length > 0) show(claimed);
  }

  #due(): readonly ExpiryWarning[] {
    const { access, clock } = this.#options;
    const data = access();
    if (data === undefined) return [];
    const at = (nowMs: number): ExpiryWarning[] => dueWarnings(data, nowMs, (key) => this.#given.has(key));
    const now = at(clock.nowMs());
    if (now.length === 0) return now;
    const isIn = new Set(now.map(({ grant }) => grant.id));
    const soon = at(clock.nowMs() + TOGETHER_MS).filter(({ grant }) => !isIn.has(grant.id));
    return [...now, ...soon].sort((a, b) => a.endsAtMs - b.endsAtMs);
  }
}
