import { type Clock, MINUTE_MS } from '../../domain/time.ts';
import type { RoleView } from '../../protocol/schemas.ts';
import { type AccessData, isMoving } from '../access-view/access-data.ts';
import { takenBy } from '../access-view/access-nodes.ts';
import { takesRequest } from '../access-view/node-capabilities.ts';
import { type Need, rolesFor } from '../requests/smallest-role.ts';
import { needIn } from './denial.ts';

/** What can be done about a refusal. */
export type Remedy =
  /** The smallest role that would have allowed it. */
  | { readonly kind: 'ask'; readonly need: Need; readonly role: RoleView }
  /** A role that would is on its way: asked for, or being set up. */
  | { readonly kind: 'wait'; readonly need: Need; readonly role: RoleView }
  /** A role that would is held: Databricks needs a moment, or something else is missing. */
  | { readonly kind: 'held'; readonly need: Need; readonly role: RoleView }
  /** No role would that the person may ask for. */
  | { readonly kind: 'none' };

/** What to do about what Databricks said. */
export function remedyFor(refusal: string, data: AccessData): Remedy {
  const need = needIn(refusal, data.roles);
  const roles = need === undefined ? [] : rolesFor(need, data.roles);
  if (need === undefined) return { kind: 'none' };
  for (const role of roles) {
    const moving = data.grants.some((grant) => grant.role.id === role.id && isMoving(grant));
    const taken = takenBy(role, data);
    if (moving || taken === 'asked') return { kind: 'wait', need, role };
    if (taken === 'held') return { kind: 'held', need, role };
  }
  const role = roles.find((candidate) => takesRequest(candidate, undefined));
  return role === undefined ? { kind: 'none' } : { kind: 'ask', need, role };
}

/** The same role is not offered again within this time: a loop that fails fails often. */
const QUIET_MS = 30 * MINUTE_MS;

/** What {@link DenialOffers} needs. */
export interface DenialOffersOptions {
  readonly data: () => AccessData | undefined;
  readonly clock: Clock;
  /** True while the person wants to be offered roles at all. */
  readonly isWanted: () => boolean;
  readonly offer: (remedy: Extract<Remedy, { kind: 'ask' }>, program: string | undefined) => void;
}

/** Offers a role where a program was refused something; seldom, and only what would have helped. */
export class DenialOffers {
  readonly #options: DenialOffersOptions;
  /** By role: when it was offered. */
  readonly #offeredAtMs = new Map<string, number>();

  constructor(options: DenialOffersOptions) {
    this.#options = options;
  }

  /**
   * Databricks refused something.
   *
   * @param program What was run, as the person wrote it.
   */
  saw(refusal: string, program: string | undefined): void {
    const { data, clock, isWanted, offer } = this.#options;
    const known = data();
    if (known === undefined || !isWanted()) return;
    const remedy = remedyFor(refusal, known);
    if (remedy.kind !== 'ask') return;
    const nowMs = clock.nowMs();
    const before = this.#offeredAtMs.get(remedy.role.id);
    if (before !== undefined && nowMs - before < QUIET_MS) return;
    this.#offeredAtMs.set(remedy.role.id, nowMs);
    offer(remedy, program);
  }
}
