import { type Name, NAMES, PEOPLE } from './company.ts';
import { LAPSE_MINUTES } from './request-desk.ts';

const MINUTE = 60_000;

/** Somebody's request, as somebody who watches would note it down. */
export interface Asked {
  readonly id: string;
  readonly requester: Name;
  readonly roleId: string;
  readonly minutes: number;
  readonly startsAtMs: number | undefined;
  readonly breakGlass: boolean;
  readonly extended: Given | undefined;
  lapsesAtMs: number;
  state: string;
  yes: { readonly who: Name; readonly stage: number }[];
  approvedMinutes: number | undefined;
  /** Of the role, when the request was judged. */
  revision: number;
  stages: readonly Stage[];
}

/** Who may speak at a stage, and how many have to. */
export interface Stage {
  readonly approverGroups: readonly string[];
  readonly quorum: number;
}

/** Access that was given, as somebody who watches would note it down. */
export interface Given {
  readonly id: string;
  readonly asked: Asked;
  readonly holder: Name;
  readonly roleId: string;
  readonly place: string;
  readonly minutes: number;
  readonly startsAtMs: number | undefined;
  readonly graceMinutes: number | undefined;
  readonly revision: number;
  /** The tokens under it and what it extends, by their ends: one list for the whole chain. */
  readonly tokens: number[];
  readonly chain: string;
  state: string;
  reason: string | undefined;
  deadlineAtMs: number;
  activatedAtMs: number | undefined;
  endsAtMs: number | undefined;
  heldSinceMs: number | undefined;
  givenUp: boolean;
  begun: boolean;
  firstAbsentAtMs: number | undefined;
  absentAtMs: number | undefined;
  refusedRemovals: number;
  outlives: { untilMs: number; what: string } | undefined;
  review: 'due' | 'done' | undefined;
  successor: Given | undefined;
  extends: Given | undefined;
}

/** What is known of somebody. */
export interface Facts {
  seenAtMs: number;
  /** Undefined where the list overflowed. */
  groups: readonly string[] | undefined;
}

/**
 * The model: what access is, in plain sentences, without a line of `src/domain`. It says what must be refused and why, and
 * what must be so after what was accepted.
 */
export class Ledger {
  nowMs = 0;
  readonly asked: Asked[] = [];
  readonly given: Given[] = [];
  readonly facts = new Map<Name, Facts>(
    NAMES.map((name) => [name, { seenAtMs: 0, groups: PEOPLE[name].groups }]),
  );
  readonly roles = new Map<string, { revision: number; stages: readonly Stage[] }>();
  /** How often what happened: nothing is proved of what never does. */
  readonly tally: Map<string, number>;

  constructor(tally: Map<string, number>) {
    this.tally = tally;
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  factsOf(name: Name): Facts {
    const facts = this.facts.get(name);
    if (facts === undefined) throw new TypeError(name);
    return facts;
  }

  role(id: string): { revision: number; stages: readonly Stage[] } {
    const role = this.roles.get(id);
    if (role === undefined) throw new TypeError(id);
    return role;
  }

  isFresh(name: Name): boolean {
    return this.nowMs - this.factsOf(name).seenAtMs <= 60 * MINUTE;
  }

  isOpen({ state }: Asked): boolean {
    return state === 'pending' || state === 'awaiting_requester';
  }

  /** The first stage that waits for somebody; undefined where none does. */
  waitingStage({ stages, yes }: Asked): number | undefined {
    const index = stages.findIndex(
      ({ quorum }, stage) => yes.filter((word) => word.stage === stage).length < quorum,
    );
    return index < 0 ? undefined : index;
  }

  isLive({ state }: Given): boolean {
    return ['scheduled', 'provisioning', 'active'].includes(state);
  }

  isLeaving({ state }: Given): boolean {
    return state === 'revoking' || state === 'revoke_stuck';
  }

  /** True while access exists that can be extended. */
  isHeld(given: Given): boolean {
    return given.state === 'active' && this.nowMs < (given.endsAtMs ?? 0);
  }

  /** The union of what lives: while one of them is left, the membership is. */
  isDemanded(place: string): boolean {
    return this.given.some((given) => given.place === place && given.begun && this.isLive(given));
  }

  /** The end of a chain: what a return or a revocation means. */
  latest(given: Given): Given {
    return given.successor === undefined ? given : this.latest(given.successor);
  }

  /** What is overdue on a request before anybody decides on it. */
  lapseIfDue(asked: Asked): void {
    if (!this.isOpen(asked)) return;
    const baseless = asked.extended !== undefined && !this.isHeld(asked.extended);
    if (baseless || this.nowMs >= asked.lapsesAtMs) {
      asked.state = 'lapsed';
      this.count(baseless ? 'an extension lost its ground' : 'a request lapsed');
    }
  }

  /** A role that changed makes the words fall. True if it did. */
  judgeAnew(asked: Asked, grantId: () => string | undefined): boolean {
    if (this.factsOf(asked.requester).groups === undefined) return false;
    const { revision, stages } = this.role(asked.roleId);
    if (asked.state === 'approved') asked.lapsesAtMs = this.nowMs + LAPSE_MINUTES * MINUTE;
    Object.assign(asked, { revision, stages: asked.breakGlass ? [] : stages, yes: [], state: 'pending' });
    asked.approvedMinutes = undefined;
    this.count('a request was judged anew');
    if (this.nowMs < asked.lapsesAtMs) this.settle(asked, grantId);
    return true;
  }

  isOnOldGround(asked: Asked): boolean {
    return this.isOpen(asked) && this.role(asked.roleId).revision !== asked.revision;
  }

  /** What becomes of a request with the words that were given. */
  settle(asked: Asked, grantId: () => string | undefined): void {
    if (this.waitingStage(asked) !== undefined) {
      asked.state = 'pending';
    } else if (!this.isFresh(asked.requester)) {
      asked.state = 'awaiting_requester';
      this.count('a request waited for its requester');
    } else {
      asked.state = 'approved';
      this.give(asked, grantId() ?? '');
    }
  }

  give(asked: Asked, id: string): void {
    const { requester, roleId, startsAtMs, revision, breakGlass, extended } = asked;
    const minutes = asked.approvedMinutes ?? asked.minutes;
    const begins = Math.max(startsAtMs ?? this.nowMs, this.nowMs);
    const waits = startsAtMs === undefined ? 30 : Math.max(30, minutes);
    const given: Given = {
      ...{ id, asked, holder: requester, roleId, minutes, startsAtMs, revision },
      ...{ chain: id, state: 'scheduled', reason: undefined, deadlineAtMs: begins + waits * MINUTE },
      ...{ activatedAtMs: undefined, endsAtMs: undefined, heldSinceMs: undefined, givenUp: false },
      ...{ begun: false, firstAbsentAtMs: undefined, absentAtMs: undefined, refusedRemovals: 0 },
      ...{ outlives: undefined, successor: undefined, extends: undefined, tokens: [] },
      graceMinutes: requester === 'run' ? 10 : undefined,
      review: breakGlass ? 'due' : undefined,
      place: this.placeOf(roleId, requester),
    };
    this.given.push(given);
    this.count(breakGlass ? 'the glass was broken' : 'access was given');
    if (extended === undefined) return;
    const endsAtMs = (extended.endsAtMs ?? 0) + minutes * MINUTE;
    const { heldSinceMs, chain, tokens, begun } = extended;
    Object.assign(given, { heldSinceMs, chain, tokens, begun, endsAtMs, deadlineAtMs: endsAtMs });
    Object.assign(given, { state: 'active', activatedAtMs: this.nowMs, extends: extended });
    Object.assign(extended, { state: 'ended', reason: 'extended', successor: given });
    this.count('access was extended');
  }

  placeOf(roleId: string, holder: Name): string {
    const { iss, sub } = PEOPLE[holder];
    if (roleId === 'deploy') return '2/service-principal:20';
    return `${roleId === 'read' ? 1 : 3}/principal:${JSON.stringify([iss, sub])}`;
  }

  /** The end begins: what is left of tokens has the right until the membership is seen to be gone. */
  leave(given: Given, reason: string): void {
    given.state = 'revoking';
    given.reason = reason;
    const untilMs = Math.max(...given.tokens);
    if (untilMs > this.nowMs) given.outlives = { untilMs, what: 'right' };
  }

  giveUp(given: Given): void {
    given.state = 'revoking';
    given.givenUp = true;
    this.count('a grant was given up');
  }

  end(given: Given, absentAtMs: number | undefined): void {
    given.state = given.givenUp ? 'failed' : 'ended';
    given.absentAtMs = absentAtMs;
    if (given.outlives !== undefined && absentAtMs !== undefined) given.outlives.what = 'tokenOnly';
    this.count(absentAtMs === undefined ? 'a membership was let go of' : 'a membership was seen to be gone');
  }

  /** True where a window may end at a moment: neither too far ahead nor too long in a row. */
  mayEndAt(given: Given, endsAtMs: number): boolean {
    return endsAtMs - this.nowMs <= 60 * MINUTE && endsAtMs - (given.heldSinceMs ?? 0) <= 150 * MINUTE;
  }
}
