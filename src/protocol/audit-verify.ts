import { type ChainReport, createChainVerifier } from '../domain/audit-chain.ts';
import type { ChainAnchor, Finding } from '../domain/audit-findings.ts';
import { type AuditExportEnd, AuditLine, auditRecordOf } from './audit.ts';
import type { AnchorProblem, CheckedAnchors } from './audit-anchors.ts';

/** What a look at an export found. */
export interface TrailReport {
  readonly chain: ChainReport;
  /**
   * - `said`: the last line says that this is all, and where the chain ends.
   * - `missing`: there is none: the export was cut off on its way.
   * - `differs`: it says something else than the rows do.
   */
  readonly end: 'said' | 'missing' | 'differs';
  /** The store that the export says it is of. */
  readonly epoch: string | undefined;
}

/** What is said about a trail in the end. */
export interface Judgement {
  readonly holds: boolean;
  readonly rows: number;
  readonly lastSequence: number;
  readonly unchained: number;
  /** Good anchors that counted. */
  readonly anchors: number;
  readonly anchoredTo: number;
  readonly findings: readonly Finding[];
  readonly anchorProblems: readonly AnchorProblem[];
  readonly end: TrailReport['end'];
  /** True where trail and anchors are of the same store, as far as both say. */
  readonly sameStore: boolean;
}

/** Puts together what was found in the rows and in the anchors. */
export function judge({ chain, end, epoch }: TrailReport, checked: CheckedAnchors): Judgement {
  const sameStore = epoch === undefined || checked.epoch === undefined || epoch === checked.epoch;
  const goodAnchors = checked.problems.every(({ kind }) => kind === 'unreadable');
  return {
    holds: chain.findings.length === 0 && end === 'said' && sameStore && goodAnchors,
    rows: chain.rows,
    lastSequence: chain.head.sequence,
    unchained: chain.unchained,
    anchors: checked.anchors.length,
    anchoredTo: chain.anchoredTo,
    findings: chain.findings,
    anchorProblems: checked.problems,
    end,
    sameStore,
  };
}

/**
 * Verifies an export of the audit trail, line by line, without the server that it came from.
 *
 * @param anchors whose signatures were checked, of the store that the export is of.
 */
export async function verifyTrail(
  lines: AsyncIterable<string> | Iterable<string>,
  anchors: readonly ChainAnchor[],
): Promise<TrailReport> {
  const verifier = createChainVerifier(anchors);
  let end: AuditExportEnd['end'] | undefined;
  for await (const text of lines) {
    if (text.trim() === '') continue;
    const line = readLine(text);
    if (line !== undefined && 'end' in line) {
      ({ end } = line);
    } else {
      // A row behind the last line is one that the last line does not know of.
      end = undefined;
      verifier.take(line && auditRecordOf(line));
    }
  }
  const chain = verifier.end();
  return { chain, end: endOf(chain, end), epoch: end?.epoch };
}

function endOf(chain: ChainReport, end: AuditExportEnd['end'] | undefined): TrailReport['end'] {
  if (end === undefined) return 'missing';
  const { head, unchained } = chain;
  const same = end.sequence === head.sequence && end.hash === head.hash && end.unchained === unchained;
  return same ? 'said' : 'differs';
}

function readLine(text: string): AuditLine | undefined {
  try {
    return AuditLine.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
