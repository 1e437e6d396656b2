import type { Clock, EpochMs } from '../../../domain/time.ts';

interface Write {
  readonly memberId: string;
  readonly present: boolean;
  /** From when reads and rights show it. */
  readonly visibleAtMs: EpochMs;
}

/** One group's members: what everybody sees by now, and the writes that are not visible yet, oldest first. */
interface Members {
  visible: Set<string>;
  pending: Write[];
}

/**
 * Who is in which group. Databricks' reads lag behind its writes, and so do the rights that follow from
 * membership: a write becomes visible to both after the lag, in the order in which it was made.
 */
export class Memberships {
  readonly #clock: Clock;
  readonly #groups = new Map<string, Members>();
  /** How long a write takes to show, in milliseconds. */
  lagMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Direct members as everybody sees them now. */
  visible(groupId: string): ReadonlySet<string> {
    return this.#settled(groupId).visible;
  }

  /** Direct members as written, seen or not. */
  written(groupId: string): Set<string> {
    const { visible, pending } = this.#settled(groupId);
    const members = new Set(visible);
    for (const write of pending) apply(members, write);
    return members;
  }

  /** Adds or removes a member. What is so already is done already. */
  write(groupId: string, memberId: string, present: boolean): void {
    if (this.written(groupId).has(memberId) === present) return;
    const members = this.#settled(groupId);
    const earliest = members.pending.at(-1)?.visibleAtMs ?? 0;
    const visibleAtMs = Math.max(earliest, this.#clock.nowMs() + this.lagMs);
    members.pending.push({ memberId, present, visibleAtMs });
  }

  /** Puts members into a group from the start: everybody sees them at once. */
  seed(groupId: string, memberIds: readonly string[]): void {
    this.#groups.set(groupId, { visible: new Set(memberIds), pending: [] });
  }

  /** Lets a group's members go with the group. */
  forget(groupId: string): void {
    this.#groups.delete(groupId);
  }

  /** The groups that the member is in directly, as everybody sees it now. */
  groupsOf(memberId: string): string[] {
    return [...this.#groups.keys()].filter((groupId) => this.visible(groupId).has(memberId));
  }

  #settled(groupId: string): Members {
    let members = this.#groups.get(groupId);
    if (members === undefined) {
      members = { visible: new Set(), pending: [] };
      this.#groups.set(groupId, members);
    }
    const nowMs = this.#clock.nowMs();
    while (members.pending[0] !== undefined && members.pending[0].visibleAtMs <= nowMs) {
      apply(members.visible, members.pending[0]);
      members.pending.shift();
    }
    return members;
  }
}

function apply(members: Set<string>, { memberId, present }: Write): void {
  if (present) members.add(memberId);
  else members.delete(memberId);
}
