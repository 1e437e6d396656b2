/** The kinds of assets that rights are told of, by the names of their lists. */
export const ASSET_KINDS = ['models', 'endpoints', 'experiments', 'features', 'clusters', 'jobs'] as const;

/** One of {@link ASSET_KINDS}. */
export type AssetKind = (typeof ASSET_KINDS)[number];

/** A right that a role's group carries, as the catalogue tells it. */
export interface AssetRight {
  readonly kind: AssetKind;
  /** The name as Databricks shows it, of a model or feature in full; a `*` at its end stands for any rest. */
  readonly name: string;
  /** A level of the permissions API, or a privilege of Unity Catalog. */
  readonly level: string;
}

/** The levels of a kind, weakest first: each holds those before it. Source: reference/databricks-apis.md §2. */
const LADDERS: Readonly<Record<Exclude<AssetKind, 'models' | 'features'>, readonly string[]>> = {
  endpoints: ['CAN_VIEW', 'CAN_QUERY', 'CAN_MANAGE'],
  experiments: ['CAN_READ', 'CAN_EDIT', 'CAN_MANAGE'],
  clusters: ['CAN_ATTACH_TO', 'CAN_RESTART', 'CAN_MANAGE'],
  jobs: ['CAN_VIEW', 'CAN_MANAGE_RUN', 'CAN_MANAGE', 'IS_OWNER'],
};

/** Unity Catalog's privileges stand beside one another; this one holds the others, and does not manage. */
const ALL_PRIVILEGES = 'ALL_PRIVILEGES';

/** The levels that can be asked for on an asset of a kind, weakest first. */
export function levelsOf(kind: AssetKind): readonly string[] {
  switch (kind) {
    case 'models':
      return ['EXECUTE', 'APPLY_TAG', 'MANAGE'];
    case 'features':
      return ['SELECT', 'MODIFY', 'MANAGE'];
    case 'endpoints':
    case 'experiments':
    case 'clusters':
    case 'jobs':
      return LADDERS[kind];
  }
}

/** True where whoever has the one level may do what the other allows. */
export function levelSuffices(kind: AssetKind, held: string, wanted: string): boolean {
  if (held === wanted) return true;
  if (kind === 'models' || kind === 'features') return held === ALL_PRIVILEGES && wanted !== 'MANAGE';
  const ladder = LADDERS[kind];
  const at = ladder.indexOf(wanted);
  return at !== -1 && ladder.indexOf(held) >= at;
}

/** True where a right is on the asset of this name. */
export function isOn(right: Pick<AssetRight, 'name'>, assetName: string): boolean {
  return right.name.endsWith('*') ? assetName.startsWith(right.name.slice(0, -1)) : right.name === assetName;
}
