import { timingSafeEqual, createHash } from 'node:crypto';

import { PEOPLE, type Person } from './people.ts';

/** What tokens say about somebody, apart from the subject. */
export type PersonClaims = Readonly<Record<string, unknown>>;

/** The people that the sandbox knows, and what it says about them. */
export interface Directory {
  findBySub(sub: string): Person | undefined;
  /** The person with that user name (in any case), if the password is theirs. */
  authenticate(userName: string, password: string): Person | undefined;
  /** Changes somebody's groups from the next token on; `overflow` makes the list too long to be carried. */
  setGroups(sub: string, groups: readonly string[] | 'overflow'): void;
  claimsOf(person: Person): PersonClaims;
}

/** Creates a directory of {@link PEOPLE}. */
export function createDirectory(issuer: string): Directory {
  const people: readonly Person[] = Object.values(PEOPLE);
  const groupsBySub = new Map<string, readonly string[] | 'overflow'>();
  const findBySub = (sub: string): Person | undefined => people.find((person) => person.sub === sub);

  return {
    findBySub,
    authenticate(userName, password) {
      const wanted = userName.trim().toLowerCase();
      const person = people.find((candidate) => candidate.userName === wanted);
      return person && sameText(person.password, password) ? person : undefined;
    },
    setGroups(sub, groups) {
      if (!findBySub(sub)) throw new Error(`The sandbox knows nobody with this subject: ${sub}`);
      groupsBySub.set(sub, groups);
    },
    claimsOf(person) {
      return {
        preferred_username: person.userName,
        email: person.userName,
        email_verified: true,
        name: person.displayName,
        duty: person.duty,
        ...(person.onCall !== undefined && { on_call: [...person.onCall] }),
        ...groupClaims(issuer, person, groupsBySub.get(person.sub) ?? person.groups),
      };
    },
  };
}

/** A list that is too long is replaced by a reference, in the form of Entra ID ("groups overage claim"). */
function groupClaims(issuer: string, person: Person, groups: readonly string[] | 'overflow'): PersonClaims {
  if (groups !== 'overflow') return { groups: [...groups] };
  return {
    _claim_names: { groups: 'src1' },
    _claim_sources: { src1: { endpoint: `${issuer}/directory/${person.sub}/groups` } },
  };
}

function sameText(expected: string, given: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(expected), digest(given));
}
