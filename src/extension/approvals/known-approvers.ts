import type { PrincipalKey } from '../../domain/principal.ts';
import type { Memory } from '../injection/folder-memory.ts';

/** Whose word others waited for when that was last known: the view "Approvals" is theirs also while it is being read. */
export class KnownApprovers {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  knows(who: PrincipalKey): boolean {
    return this.#memory.get(keyOf(who)) === true;
  }

  learn(who: PrincipalKey, approves: boolean): void {
    if (approves !== this.knows(who)) void this.#memory.update(keyOf(who), approves ? true : undefined);
  }
}

function keyOf({ iss, sub }: PrincipalKey): string {
  return `approves:${JSON.stringify([iss, sub])}`;
}
