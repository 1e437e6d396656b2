import * as z from 'zod/mini';

/** Where a claim stands in a token: its name, or the names on the way to it. */
export type ClaimPath = readonly string[];

const Members = z.record(z.string(), z.unknown());

/** What stands in a token at a place; undefined where there is nothing. */
export function claimAt(claims: unknown, path: ClaimPath): unknown {
  return path.reduce<unknown>(member, claims);
}

function member(value: unknown, name: string): unknown {
  const members = Members.safeParse(value);
  return members.success && Object.hasOwn(members.data, name) ? members.data[name] : undefined;
}
