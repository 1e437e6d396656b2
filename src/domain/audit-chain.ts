import { canonicalJson, type Json, sha256Hex } from './canonical.ts';
import { type ChainAnchor, type Finding, type FindingKind, joinFindings } from './audit-findings.ts';

/** A row of the audit trail, as it is exported and as its hash covers it. */
export interface AuditRecord {
  /** Its place in the chain, from 1 without gaps; null until the chainer has been there, as is `hash`. */
  readonly sequence: number | null;
  readonly id: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly event: string;
  readonly actor: Json;
  readonly requestId: string | null;
  readonly grantId: string | null;
  readonly roleId: string | null;
  readonly detail: Json;
  readonly hash: string | null;
}

/** The hash before the first row's. */
export const GENESIS_HASH = '';

/**
 * The hash of a row in its place: SHA-256 over the canonical JSON of the row, its sequence and the hash before it.
 * `docs/audit.md` writes it out for those who verify by other means.
 */
export function linkHash(previous: string, sequence: number, row: AuditRecord): string {
  const { id, atMs, event, actor, requestId, grantId, roleId, detail } = row;
  return sha256Hex(
    canonicalJson({ previous, sequence, id, atMs, event, actor, requestId, grantId, roleId, detail }),
  );
}

/** What a look at a whole chain found. */
export interface ChainReport {
  /** Rows that stand in the chain. */
  readonly rows: number;
  /** Where the chain ends. */
  readonly head: ChainAnchor;
  /** Rows that no chainer has been at yet: more than a second's worth is worth a question. */
  readonly unchained: number;
  /** Up to here an anchor vouches for the chain; 0 where none does. What follows could be cut off unseen. */
  readonly anchoredTo: number;
  /** What does not hold, in the order of the chain; neighbours of one kind are one finding. Empty where all holds. */
  readonly findings: readonly Finding[];
}

/** Verifies a chain row by row, in the order of the chain. Unchained rows may stand anywhere. */
export interface ChainVerifier {
  /** Takes the next row; undefined for one that cannot be read as a row. */
  take(row: AuditRecord | undefined): void;
  /** Nothing follows. To be called once. */
  end(): ChainReport;
}

/**
 * Creates a verifier of one chain. It goes on behind what it finds, so that one change does not hide another.
 *
 * Two computations run beside each other. The links compare each row with its own hash over the stored hash before it,
 * and name the very row. The contents are hashed anew from anchor to anchor without a look at stored hashes, so that
 * rows whose hashes were made anew as well are found, between two anchors.
 *
 * @param anchors whose signatures were checked, for this chain only.
 */
export function createChainVerifier(anchors: readonly ChainAnchor[]): ChainVerifier {
  const findings: Finding[] = [];
  const anchorAt = new Map<number, string>();
  let lastAnchor = 0;
  for (const { sequence, hash } of anchors) {
    lastAnchor = Math.max(lastAnchor, sequence);
    if ((anchorAt.get(sequence) ?? hash) !== hash) find('contradicted', sequence);
    else anchorAt.set(sequence, hash);
  }

  let pending: { readonly row: AuditRecord | undefined } | undefined;
  let rows = 0;
  let unchained = 0;
  let last = 0;
  let lastHash = GENESIS_HASH;
  /** What the hash before the next row may be: as stored, as computed, as anchored. */
  let before = new Set([GENESIS_HASH]);
  /** False where the row before the next one is not there to tell its hash. */
  let proven = true;
  /** The hash of the contents since the last anchor; undefined where a row of them is missing. */
  let contents: string | undefined = GENESIS_HASH;
  let segmentFrom = 1;
  let anchoredTo = 0;

  function find(kind: FindingKind, from: number, to = from): void {
    findings.push({ kind, from, to });
  }

  function link(sequence: number, row: AuditRecord): void {
    const hash = row.hash ?? '';
    const computed = new Map([...before].map((previous) => [previous, linkHash(previous, sequence, row)]));
    const holds = [...computed.values()].includes(hash);
    if (!holds) find(proven ? 'changed' : 'unproven', sequence);
    if (contents !== undefined) contents = computed.get(contents) ?? linkHash(contents, sequence, row);
    before = new Set([hash, ...computed.values()]);
    proven = true;
    rows += 1;
    last = sequence;
    lastHash = hash;
    const anchored = anchorAt.get(sequence);
    if (anchored === undefined) return;
    if (hash === anchored && (contents ?? anchored) === anchored) anchoredTo = sequence;
    else find('rewritten', segmentFrom, sequence);
    trust(sequence, anchored);
  }

  /** Goes on from an anchor, whatever was found before it. */
  function trust(sequence: number, anchored: string): void {
    before.add(anchored);
    proven = true;
    contents = anchored;
    segmentFrom = sequence + 1;
  }

  /** A hole: the next anchor does not reach back over it to the rows since the last one. */
  function leaveUnproven(): void {
    if (segmentFrom <= last && lastAnchor > last) find('unproven', segmentFrom, last);
  }

  /** Goes behind a place whose row is not there; `hash` is that of what stands there instead. */
  function skipTo(sequence: number, hash: string | undefined): void {
    leaveUnproven();
    last = sequence;
    lastHash = hash ?? '';
    before = new Set(hash === undefined ? [] : [hash]);
    proven = false;
    contents = undefined;
    segmentFrom = sequence + 1;
    const anchored = anchorAt.get(sequence);
    if (anchored !== undefined) trust(sequence, anchored);
  }

  function place(row: AuditRecord | undefined, next: AuditRecord | undefined): void {
    const expected = last + 1;
    const sequence = row?.sequence ?? undefined;
    const hash = row?.hash ?? undefined;
    if (row !== undefined && sequence === expected) {
      link(expected, row);
    } else if (next?.sequence === expected + 1) {
      // The row behind it is where it should be, so this one stands in the place of another.
      find('misplaced', expected);
      rows += 1;
      skipTo(expected, hash);
    } else if (
      row === undefined ||
      sequence === undefined ||
      sequence < expected ||
      next?.sequence === expected
    ) {
      if (sequence !== undefined && sequence < expected) find('misplaced', sequence);
      // A row that comes twice in a row is one place; from further away it is two: its own and the one that it is in.
      if (sequence !== last) find('misplaced', expected);
      if (sequence === last && hash !== undefined) before.add(hash);
    } else {
      find('missing', expected, sequence - 1);
      skipTo(sequence - 1, undefined);
      link(sequence, row);
    }
  }

  function advance(next: { readonly row: AuditRecord | undefined } | undefined): void {
    if (pending !== undefined) place(pending.row, next?.row);
    pending = next;
  }

  return {
    take(row) {
      if (row?.sequence === null && row.hash === null) unchained += 1;
      else advance({ row });
    },
    end() {
      advance(undefined);
      leaveUnproven();
      if (lastAnchor > last) find('truncated', last + 1, lastAnchor);
      const head = { sequence: last, hash: lastHash };
      return { rows, head, unchained, anchoredTo, findings: joinFindings(findings) };
    },
  };
}
