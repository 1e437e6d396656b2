/** A place of the chain and the hash of the row there. */
export interface ChainAnchor {
  readonly sequence: number;
  readonly hash: string;
}

/**
 * What can be wrong with rows of a chain.
 *
 * - `changed`: the row's hash is not that of its content behind the row before: one of the two was edited.
 * - `missing`: no row is in this place.
 * - `misplaced`: something stands here that does not belong here: a row a second time, out of order, put in between,
 *   or what is no row at all.
 * - `unproven`: the row before is missing, so that nothing vouches for this one.
 * - `rewritten`: somewhere in these rows the content is not the one that was anchored, whatever the hashes say.
 * - `truncated`: an anchor says that these rows were there.
 * - `contradicted`: two anchors with good signatures say different things: the chain was once another.
 */
export type FindingKind =
  'changed' | 'missing' | 'misplaced' | 'unproven' | 'rewritten' | 'truncated' | 'contradicted';

/** Something that is wrong with the rows `from` to `to`, both included. */
export interface Finding {
  readonly kind: FindingKind;
  readonly from: number;
  readonly to: number;
}

/** Findings in the order of the chain, with neighbours of one kind as one. */
export function joinFindings(findings: readonly Finding[]): Finding[] {
  const joined: Finding[] = [];
  for (const finding of [...findings].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const index = joined.findLastIndex((candidate) => candidate.kind === finding.kind);
    const earlier = joined[index];
    if (earlier !== undefined && finding.kind !== 'rewritten' && finding.from <= earlier.to + 1) {
      joined[index] = { ...earlier, to: Math.max(earlier.to, finding.to) };
    } else {
      joined.push(finding);
    }
  }
  return joined;
}
