import { compactVerify, createLocalJWKSet, errors } from 'jose';

import type { ChainAnchor } from '../domain/audit-findings.ts';
import { canonicalJson } from '../domain/canonical.ts';
import { AnchorLine, type AuditKeys } from './audit.ts';

/** The `typ` of an anchor's signature: it can be taken for no token, and no token for it. */
export const ANCHOR_TYPE = 'oam-anchor+jws';

/** What anchors are signed with. */
export const ANCHOR_ALGORITHM = 'RS256';

/** What the signature of an anchor covers, as its one text. */
export function anchorPayload(anchor: Pick<AnchorLine, 'sequence' | 'hash' | 'at' | 'epoch'>): string {
  const { sequence, hash, at, epoch } = anchor;
  return canonicalJson({ sequence, hash, at, epoch });
}

/** Something that is wrong with what was kept as anchors. */
export interface AnchorProblem {
  /** Counted from 1. */
  readonly line: number;
  /**
   * - `unreadable`: no anchor.
   * - `unsigned`: the signature is none, is not by one of the keys, or is over something else than the line says.
   * - `another_store`: a good anchor of a store with another identity.
   */
  readonly kind: 'unreadable' | 'unsigned' | 'another_store';
}

/** What is left of lines of anchors after their signatures were checked. */
export interface CheckedAnchors {
  readonly anchors: readonly ChainAnchor[];
  /** The store that they speak of; undefined where there is none. */
  readonly epoch: string | undefined;
  readonly problems: readonly AnchorProblem[];
}

/**
 * Checks the signatures of anchors. Where they speak of several stores those of the latest count, unless `epoch` says
 * of which: that another trail was begun is worth a question.
 */
export async function checkAnchors(
  lines: readonly string[],
  keys: AuditKeys,
  epoch?: string,
): Promise<CheckedAnchors> {
  const keyOf = createLocalJWKSet(keys);
  const problems: AnchorProblem[] = [];
  const good: { readonly line: number; readonly anchor: AnchorLine }[] = [];
  for (const [index, text] of lines.entries()) {
    const line = index + 1;
    if (text.trim() === '') continue;
    const anchor = readAnchor(text);
    if (anchor === undefined) problems.push({ line, kind: 'unreadable' });
    else if (await isSigned(anchor, keyOf)) good.push({ line, anchor });
    else problems.push({ line, kind: 'unsigned' });
  }
  const latest = good.reduce<AnchorLine | undefined>(
    (newest, { anchor }) => (newest === undefined || anchor.at > newest.at ? anchor : newest),
    undefined,
  );
  const wanted = epoch ?? latest?.epoch;
  const anchors: ChainAnchor[] = [];
  for (const { line, anchor } of good) {
    if (anchor.epoch === wanted) anchors.push({ sequence: anchor.sequence, hash: anchor.hash });
    else problems.push({ line, kind: 'another_store' });
  }
  return { anchors, epoch: wanted, problems };
}

function readAnchor(text: string): AnchorLine | undefined {
  try {
    return AnchorLine.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function isSigned(anchor: AnchorLine, keyOf: ReturnType<typeof createLocalJWKSet>): Promise<boolean> {
  try {
    const { payload, protectedHeader } = await compactVerify(anchor.jws, keyOf, {
      algorithms: [ANCHOR_ALGORITHM],
    });
    return (
      protectedHeader.typ === ANCHOR_TYPE &&
      protectedHeader.kid === anchor.kid &&
      new TextDecoder().decode(payload) === anchorPayload(anchor)
    );
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw error;
  }
}
