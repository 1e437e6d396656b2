import type { JWTPayload } from 'jose';
import * as z from 'zod/mini';

import { DUTIES, type GroupFacts, type Principal } from '../../domain/principal.ts';
import { fromUnixSeconds } from '../../domain/time.ts';
import type { ServerConfiguration } from '../configuration/configuration.ts';

/** Which claim says what. */
export type ClaimNames = ServerConfiguration['identity']['claims'];

const Text = z.string().check(z.minLength(1));
const Groups = z.array(z.string());
const Duty = z.enum(DUTIES);
const ClaimNamesOfOverflow = z.record(z.string(), z.string());

/** Who a token speaks of. The token's signature must have been checked. */
export function principalOf(claims: JWTPayload, names: ClaimNames): Principal {
  const sub = claims.sub ?? '';
  const userName = textOf(claims[names.userName]) ?? sub;
  const duty = Duty.safeParse(claims[names.duty]);
  return {
    iss: claims.iss ?? '',
    sub,
    userName,
    displayName: textOf(claims[names.displayName]) ?? userName,
    groups: groupsOf(claims, names.groups),
    duty: duty.success ? duty.data : undefined,
    seenAtMs: fromUnixSeconds(claims.iat ?? 0),
  };
}

/**
 * Entra ID leaves the list out when it grows too long and says so in other claims: by `_claim_names`, or by
 * `hasgroups` in tokens that travel in a URL.
 */
function groupsOf(claims: JWTPayload, name: string): GroupFacts {
  const listed = Groups.safeParse(claims[name]);
  if (listed.success) return { kind: 'listed', names: listed.data };
  const elsewhere = ClaimNamesOfOverflow.safeParse(claims['_claim_names']);
  if ((elsewhere.success && name in elsewhere.data) || claims['hasgroups'] === true) {
    return { kind: 'overflowed' };
  }
  return { kind: 'listed', names: [] };
}

/** A claim that is a text, and not an empty one. */
export function textOf(claim: unknown): string | undefined {
  const text = Text.safeParse(claim);
  return text.success ? text.data : undefined;
}
