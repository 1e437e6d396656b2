import type { Kysely } from 'kysely';

import type { Principal } from '../../domain/principal.ts';
import { TokenRefused } from '../authentication/token-verifier.ts';
import type { Database } from '../store/tables.ts';
import { type DirectoryLink, findLinked, groupsIn } from './link.ts';

/** Judges and completes what a good token says of somebody. */
type Admit = (principal: Principal) => Promise<Principal>;

/** See {@link admitByDirectory}; everybody as they are where there is no directory, and nothing to complete groups from. */
export function admission(
  db: Kysely<Database>,
  link: DirectoryLink | undefined,
  completeGroups: Admit | undefined,
): Admit {
  return async (principal) => {
    const admitted = link === undefined ? principal : await admitByDirectory(db, link, principal);
    return completeGroups === undefined ? admitted : completeGroups(admitted);
  };
}

/**
 * What the directory adds to a token that is good: somebody who is not active any more is let in by no token, and a
 * list of groups that the token could not carry is taken from the directory while it speaks often enough.
 *
 * @throws {TokenRefused} `account_disabled`.
 */
async function admitByDirectory(
  db: Kysely<Database>,
  link: DirectoryLink,
  principal: Principal,
): Promise<Principal> {
  if (principal.iss !== link.issuer) return principal;
  const person = await findLinked(db, link, principal.sub);
  if (person === undefined) return principal;
  if (!person.active) {
    throw new TokenRefused(
      'account_disabled',
      "Your account is not active in your company's directory. Ask your administrator.",
      principal,
    );
  }
  if (principal.groups.kind === 'listed' || !person.fresh) return principal;
  const names = await groupsIn(db, link, person.id);
  // A directory that pushes people but no groups knows nothing, which is not the same as none.
  return names.length === 0 ? principal : { ...principal, groups: { kind: 'listed', names } };
}
