import type { EpochMs } from '../../../../src/domain/time.ts';

/** How long a write whose answer was lost can still be on its way to Databricks. */
export const LATE_MS = 30_000;

/** How long after a first look without the member a second one counts: longer than any write can be on its way. */
export const CONFIRM_MS = 60_000;

/** What becomes of a write to Databricks. */
export const FATES = ['arrives', 'arrives late', 'is lost', 'is refused'] as const;

/** One of {@link FATES}. */
export type Fate = (typeof FATES)[number];

interface Write {
  readonly kind: 'add' | 'remove';
  readonly place: string;
  readonly landsAtMs: EpochMs;
}

/** The clock, and the groups in Databricks. A place is a group and a member in it. */
export class Surroundings {
  nowMs: EpochMs = 0;
  readonly #members = new Set<string>();
  #underWay: readonly Write[] = [];

  /** The places that are taken. */
  get members(): ReadonlySet<string> {
    return this.#members;
  }

  write(kind: Write['kind'], place: string, fate: Exclude<Fate, 'is refused'>): void {
    if (fate === 'is lost') return;
    const write = { kind, place, landsAtMs: this.nowMs + (fate === 'arrives' ? 0 : LATE_MS) };
    if (fate === 'arrives') this.#land(write);
    else this.#underWay = [...this.#underWay, write];
  }

  pass(ms: number): void {
    this.nowMs += ms;
    const landing = this.#underWay.filter(({ landsAtMs }) => landsAtMs <= this.nowMs);
    this.#underWay = this.#underWay.filter((write) => !landing.includes(write));
    for (const write of landing) this.#land(write);
  }

  #land({ kind, place }: Write): void {
    if (kind === 'add') this.#members.add(place);
    else this.#members.delete(place);
  }
}
