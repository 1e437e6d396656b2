import { AnchorLine } from '../../protocol/audit.ts';
import { checkAnchors } from '../../protocol/audit-anchors.ts';
import { type Judgement, judge, verifyTrail } from '../../protocol/audit-verify.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { LinesClient } from '../../protocol/lines.ts';
import type { KeptAnchors } from './kept-anchors.ts';
import type { Grounds } from './verify-words.ts';

/** What {@link verifyHere} needs. */
export interface VerifyParts {
  readonly url: string;
  readonly client: ControlPlaneClient;
  readonly lines: LinesClient;
  readonly kept: KeptAnchors;
}

/**
 * Verifies the trail as the control plane exports it now, by its anchors and by those that this machine kept, with the
 * keys that it saw first.
 *
 * @throws {OamError} whatever the control plane refuses with.
 */
export async function verifyHere(
  { url, client, lines, kept }: VerifyParts,
  signal: AbortSignal,
): Promise<{ readonly judgement: Judgement; readonly grounds: Grounds }> {
  const before = kept.read(url);
  const keys = before?.keys ?? (await client.call('getAuditKeys', { signal }));
  const shown: string[] = [];
  for await (const line of await lines.read('listAnchors', { signal })) shown.push(line);
  const own = (before?.anchors ?? []).map((anchor) => JSON.stringify(anchor));
  const checked = await checkAnchors([...own, ...shown], keys);
  const judgement = judge(
    await verifyTrail(await lines.read('exportAudit', { signal }), checked.anchors),
    checked,
  );
  // What does not hold is not what later trails are measured by.
  if (judgement.holds) await kept.keep(url, keys, shown.flatMap(anchorOf));
  return { judgement, grounds: { kept: own.length, keysPinned: before !== undefined } };
}

function anchorOf(line: string): AnchorLine[] {
  try {
    return [AnchorLine.parse(JSON.parse(line))];
  } catch {
    return [];
  }
}
