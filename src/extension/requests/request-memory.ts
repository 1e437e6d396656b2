import * as z from 'zod/mini';

import type { PrincipalKey } from '../../domain/principal.ts';
import type { Memory } from '../injection/folder-memory.ts';

/** What a person said when they asked for a role last. */
const LastTime = z.object({ purpose: z.string(), minutes: z.int() });
/** See {@link LastTime}. */
export type LastTime = z.infer<typeof LastTime>;

const Kept = z.object({ byRole: z.record(z.string(), LastTime), purposes: z.array(z.string()) });

/** More than these would be a list to search in. */
const PURPOSES_KEPT = 8;

/** Roles that were not asked for since so many others were are forgotten. */
const ROLES_KEPT = 50;

/** What each person said in their requests, so that it need not be typed again. */
export class RequestMemory {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  lastTime(who: PrincipalKey, roleId: string): LastTime | undefined {
    return this.#kept(who).byRole[roleId];
  }

  /** The purposes that were given last, the newest first. */
  purposes(who: PrincipalKey): readonly string[] {
    return this.#kept(who).purposes;
  }

  async remember(who: PrincipalKey, roleId: string, said: LastTime): Promise<void> {
    const { byRole, purposes } = this.#kept(who);
    const others = Object.entries(byRole).filter(([id]) => id !== roleId);
    await this.#memory.update(keyOf(who), {
      byRole: Object.fromEntries([...others.slice(1 - ROLES_KEPT), [roleId, said]]),
      purposes: [said.purpose, ...purposes.filter((purpose) => purpose !== said.purpose)].slice(
        0,
        PURPOSES_KEPT,
      ),
    });
  }

  #kept(who: PrincipalKey): z.infer<typeof Kept> {
    const kept = Kept.safeParse(this.#memory.get(keyOf(who)));
    return kept.success ? kept.data : { byRole: {}, purposes: [] };
  }
}

function keyOf({ iss, sub }: PrincipalKey): string {
  return `requests:${JSON.stringify([iss, sub])}`;
}
