import { OamError } from '../../../../src/domain/errors.ts';
import { areFactsFresh } from '../../../../src/domain/freshness.ts';
import type { Grant } from '../../../../src/domain/grant.ts';
import type { Lease } from '../../../../src/domain/lease.ts';
import type { Membership } from '../../../../src/domain/membership.ts';
import { type GroupFacts, type Principal, samePrincipal } from '../../../../src/domain/principal.ts';
import type { AccessRequest } from '../../../../src/domain/request.ts';
import type { Role } from '../../../../src/domain/role.ts';
import type { EpochMs } from '../../../../src/domain/time.ts';
import { type Name, NAMES, PEOPLE, ROLES } from './company.ts';
import type { Surroundings } from './surroundings.ts';
import { Versioned } from './versioned.ts';

/** A grant with what is kept of its writes. */
export interface DeskGrant extends Grant {
  readonly membership: Membership;
  readonly requestHash: string;
  readonly additionBegun: boolean;
  readonly firstAbsentAtMs: EpochMs | undefined;
  readonly refusedRemovals: number;
}

/** What a desk has on record: who people are, what there is to ask for, and what became of it. */
export class Records {
  readonly requests = new Versioned<AccessRequest>();
  readonly grants = new Versioned<DeskGrant>();
  readonly people = new Map<Name, Principal>();
  readonly roles = new Map(ROLES.map((role) => [role.id, role]));
  leases: readonly Lease[] = [];
  protected readonly surroundings: Surroundings;
  #ids = 0;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
    for (const name of NAMES) this.learn(name, { kind: 'listed', names: PEOPLE[name].groups });
  }

  protected get nowMs(): EpochMs {
    return this.surroundings.nowMs;
  }

  protected learn(name: Name, groups: GroupFacts): void {
    const { iss, sub } = PEOPLE[name];
    const said = { userName: name, displayName: name, duty: undefined, seenAtMs: this.nowMs };
    this.people.set(name, { iss, sub, groups, ...said });
  }

  protected person(name: Name): Principal {
    const person = this.people.get(name);
    if (person === undefined) throw new TypeError(`Nobody is called ${name}.`);
    return person;
  }

  protected signedIn(name: Name): Principal {
    const person = this.person(name);
    if (areFactsFresh(person, this.nowMs)) return person;
    throw new OamError('sign_in_again', 'Sign in again.');
  }

  protected factsOf(key: Pick<Principal, 'iss' | 'sub'>): Principal | undefined {
    return [...this.people.values()].find((person) => samePrincipal(person, key));
  }

  protected isFresh(key: Pick<Principal, 'iss' | 'sub'>): boolean {
    const person = this.factsOf(key);
    return person !== undefined && areFactsFresh(person, this.nowMs);
  }

  protected role(id: string): Role {
    const role = this.roles.get(id);
    if (role === undefined) throw new TypeError(`There is no role ${id}.`);
    return role;
  }

  protected id(kind: string): string {
    this.#ids += 1;
    return `${kind}${this.#ids}`;
  }
}
