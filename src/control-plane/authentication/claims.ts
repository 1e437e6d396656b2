import type { JWTPayload } from 'jose';
import * as z from 'zod/mini';

import type { Attributes, Duty, GroupFacts, Principal } from '../../domain/principal.ts';
import { fromUnixSeconds } from '../../domain/time.ts';
import { isStorable, storableText } from '../store/storable.ts';
import { claimAt } from './claim-path.ts';
import type { IdentityProfile } from './identity-profiles.ts';
import type { IdentityTrust } from './settings.ts';

const Text = z.string().check(z.minLength(1));
const Texts = z.array(z.string());
const Values = z.union([Text, z.array(Text)]);
const ClaimsElsewhere = z.record(z.string(), z.string());

/** Whom a token speaks of. The token's signature must have been checked. */
export function principalOf(
  claims: JWTPayload,
  { claims: places, duties, attributes }: Pick<IdentityTrust, 'claims' | 'duties' | 'attributes'>,
): Principal {
  const sub = subjectOf(claims, places) ?? '';
  const userName = nameOf(claimAt(claims, places.userName)) ?? sub;
  return {
    iss: claims.iss ?? '',
    sub,
    userName,
    displayName: nameOf(claimAt(claims, places.displayName)) ?? userName,
    groups: groupsOf(claims, places),
    duty: dutyOf(claimAt(claims, places.duty), duties),
    attributes: attributesOf(claims, attributes),
    seenAtMs: fromUnixSeconds(claims.iat ?? 0),
  };
}

/** The claim that names the person for good; undefined where the token has none that can be used. */
export function subjectOf(
  claims: JWTPayload,
  { subject }: Pick<IdentityProfile, 'subject'>,
): string | undefined {
  const text = textOf(claims[subject]);
  // Replaced, two that differ would be one and the same.
  return text !== undefined && isStorable(text) ? text : undefined;
}

/** What somebody is called. Programs cut names off in the middle of a character; that shuts nobody out. */
function nameOf(claim: unknown): string | undefined {
  const text = textOf(claim);
  return text && storableText(text);
}

/**
 * A list that is not there is empty, unless there is a sign that it was too long to be sent. Entra ID says so by
 * `_claim_names`, or by `hasgroups` in tokens that travel in a URL; Okta cuts it off without a word.
 */
function groupsOf(
  claims: JWTPayload,
  { groups: path, groupsCutAt, groupsElsewhere }: IdentityProfile,
): GroupFacts {
  if (groupsElsewhere) return { kind: 'overflowed' };
  const listed = Texts.safeParse(claimAt(claims, path));
  if (listed.success) {
    const cut = groupsCutAt !== undefined && listed.data.length >= groupsCutAt;
    return cut ? { kind: 'overflowed' } : { kind: 'listed', names: listed.data.filter(isStorable) };
  }
  const elsewhere = ClaimsElsewhere.safeParse(claims['_claim_names']);
  const [name = ''] = path;
  if ((elsewhere.success && name in elsewhere.data) || isTrue(claims['hasgroups'])) {
    return { kind: 'overflowed' };
  }
  return { kind: 'listed', names: [] };
}

/** Entra ID writes some of its booleans as texts. */
function isTrue(claim: unknown): boolean {
  return claim === true || claim === 'true';
}

/** A text, or a list of texts of which exactly one duty follows: duties are kept apart, so two are none. */
function dutyOf(claim: unknown, duties: ReadonlyMap<string, Duty>): Duty | undefined {
  const listed = Texts.safeParse(typeof claim === 'string' ? [claim] : claim);
  if (!listed.success) return undefined;
  const found = new Set(
    listed.data.flatMap((value) => {
      const duty = duties.get(value);
      return duty === undefined ? [] : [duty];
    }),
  );
  const [duty] = found;
  return found.size === 1 ? duty : undefined;
}

/** A claim of another form than a text or a list of texts, and one that cannot be stored, is as if it were not there. */
function attributesOf(claims: JWTPayload, places: IdentityTrust['attributes']): Attributes {
  return Object.fromEntries(
    Object.entries(places).flatMap(([name, path]) => {
      const values = Values.safeParse(claimAt(claims, path));
      const list = values.success ? [values.data].flat() : [];
      return list.length > 0 && list.every(isStorable) ? [[name, list]] : [];
    }),
  );
}

/** A claim that is a text, and not an empty one. */
export function textOf(claim: unknown): string | undefined {
  const text = Text.safeParse(claim);
  return text.success ? text.data : undefined;
}
