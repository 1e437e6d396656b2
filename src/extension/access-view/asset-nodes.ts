import type { AccessFilter } from './access-filter.ts';
import { type AccessNode, type AssetsNode, nodeId } from './access-nodes.ts';
import type { Asset } from './entitlements.ts';
import type { ListSoFar } from './growing-list.ts';

/** So many lines of a long list come first, and so many more each time its end is seen. */
const FIRST_LINES = 200;
const MORE_LINES = 500;

/** How many lines of a list are shown after its end has been seen so many times. */
export function linesAfter(timesSeen: number): number {
  return FIRST_LINES + timesSeen * MORE_LINES;
}

/** True where an asset is meant by a filter. */
export function assetMatches(filter: AccessFilter, asset: Asset): boolean {
  return filter.matches(asset.name, asset.id, asset.note, asset.level);
}

/**
 * The lines under a kind of assets: as many as are to be shown, and one for the rest.
 *
 * @param failure The line for why a list could not be read on.
 */
export function assetNodes(
  node: AssetsNode,
  list: ListSoFar,
  filter: AccessFilter,
  lines: number,
  failure: (error: unknown) => AccessNode[],
): AccessNode[] {
  const id = nodeId(node);
  if (list.kind === 'notVisible') return [{ kind: 'words', id, words: { kind: 'notVisible' } }];
  const matching = filter.isEmpty ? list.assets : list.assets.filter((asset) => assetMatches(filter, asset));
  if (matching.length === 0 && list.isWhole) {
    return [
      {
        kind: 'words',
        id,
        words: filter.isEmpty ? { kind: 'none' } : { kind: 'noMatch', filter: filter.text },
      },
    ];
  }
  const shown = matching.slice(0, lines);
  const count = matching.length - shown.length;
  const assets = shown.map((asset) => ({ kind: 'asset', asset, workspace: node.workspace }) as const);
  if (count === 0 && list.failure !== undefined) return [...assets, ...failure(list.failure)];
  return [
    ...assets,
    ...(count === 0 && list.isWhole
      ? []
      : [{ kind: 'more', list: node, shown: shown.length, rest: { count, isWhole: list.isWhole } } as const]),
  ];
}
