import type {
  CallOptions,
  Cluster,
  CurrentPrincipal,
  Experiment,
  Feature,
  Job,
  ListOptions,
  ObjectPermission,
  ObjectType,
  RegisteredModel,
  WorkspaceClient,
} from '../../databricks/index.ts';
import { ASSET_KINDS as RIGHT_KINDS, type AssetKind as RightKind } from '../../domain/asset-right.ts';
import { hasCode } from '../../domain/errors.ts';

/** The kinds of things whose rights are shown, in the order of the tree. */
export const ASSET_KINDS = [...RIGHT_KINDS, 'groups'] as const;

/** One of {@link ASSET_KINDS}. */
export type AssetKind = RightKind | 'groups';

/** Something on Databricks that the person can see. */
export interface Asset {
  readonly kind: AssetKind;
  readonly id: string;
  readonly name: string;
  /** What the list says of it: a state, an owner. */
  readonly note: string | undefined;
  /** The person's own level, where the list says it. */
  readonly level?: string | undefined;
  /** What its rights are kept under, where that is not its id; undefined where Databricks keeps none. */
  readonly rightsOf?: string | undefined;
}

/** The rights on one asset. Not seeing them is no proof of having none. */
export type Rights =
  { readonly kind: 'listed'; readonly levels: readonly Right[] } | { readonly kind: 'notVisible' };

/** One right, and through whom. */
export interface Right {
  readonly level: string;
  readonly through: Through;
}

/** Where a right comes from: Databricks does not always say. */
export type Through =
  { readonly kind: 'self' } | { readonly kind: 'group'; readonly name: string } | { readonly kind: 'unsaid' };

/** What a list of assets gave; by name. */
export type AssetList =
  { readonly kind: 'listed'; readonly assets: readonly Asset[] } | { readonly kind: 'notVisible' };

/** The part of the workspace client that is read from; with the person's own token, so it shows what they see. */
export type EntitlementSource = Pick<
  WorkspaceClient,
  | 'me'
  | 'models'
  | 'servingEndpoints'
  | 'servingEndpointLevel'
  | 'experiments'
  | 'features'
  | 'clusters'
  | 'jobs'
  | 'objectPermissions'
  | 'effectivePermissions'
>;

/** What {@link listAssets} takes. */
export interface ListAssetsOptions extends CallOptions {
  /** Told of each page as it comes, and waited for before the next one is read. */
  readonly onPage?: (assets: readonly Asset[]) => Promise<void>;
}

const collator = new Intl.Collator();

/** The order of assets in a list. */
export const byName = (a: Asset, b: Asset): number => collator.compare(a.name, b.name);

/** Lists the assets of a kind that the person can see, by name. */
export async function listAssets(
  source: EntitlementSource,
  kind: AssetKind,
  options: ListAssetsOptions = {},
): Promise<AssetList> {
  const assets = await orNotVisible(() => readAssets(source, kind, options));
  if (assets === undefined) return { kind: 'notVisible' };
  return { kind: 'listed', assets: assets.sort(byName) };
}

async function readAssets(
  source: EntitlementSource,
  kind: AssetKind,
  { onPage, ...options }: ListAssetsOptions,
): Promise<Asset[]> {
  /** Reads a long list, and tells of its pages in the same words. */
  const read = async <Row>(
    list: (o: ListOptions<Row>) => Promise<Row[]>,
    asAsset: (row: Row) => Asset,
  ): Promise<Asset[]> =>
    (
      await list({
        ...options,
        ...(onPage !== undefined && { onPage: (rows: readonly Row[]) => onPage(rows.map(asAsset)) }),
      })
    ).map(asAsset);

  switch (kind) {
    case 'models':
      return read<RegisteredModel>(
        (o) => source.models(o),
        ({ fullName, owner }) => ({
          kind,
          id: fullName,
          name: fullName,
          note: owner,
        }),
      );
    case 'endpoints':
      return (await source.servingEndpoints(options)).map(({ id, name, task, permissionLevel }) => ({
        kind,
        id: name,
        name,
        note: task,
        level: permissionLevel,
        rightsOf: id,
      }));
    case 'experiments':
      return read<Experiment>(
        (o) => source.experiments(o),
        ({ id, name }) => ({ kind, id, name, note: undefined }),
      );
    case 'features':
      return read<Feature>(
        (o) => source.features(o),
        ({ fullName, description, table }) => ({
          kind,
          id: fullName,
          name: fullName,
          note: description,
          rightsOf: table,
        }),
      );
    case 'clusters':
      return read<Cluster>(
        (o) => source.clusters(o),
        ({ id, name, state }) => ({ kind, id, name, note: state }),
      );
    case 'jobs':
      return read<Job>(
        (o) => source.jobs(o),
        ({ id, name, creator }) => ({ kind, id, name, note: creator }),
      );
    case 'groups':
      return (await source.me(options)).groups.map(({ id, name }) => ({ kind, id, name, note: undefined }));
  }
}

/** Reads the person's rights on one asset. */
export async function rightsOn(
  source: EntitlementSource,
  asset: Asset,
  signal?: AbortSignal,
): Promise<Rights> {
  const options = signal === undefined ? {} : { signal };
  const rights = await orNotVisible(() => readRights(source, asset, options));
  return rights === undefined ? { kind: 'notVisible' } : { kind: 'listed', levels: rights };
}

async function readRights(source: EntitlementSource, asset: Asset, options: CallOptions): Promise<Right[]> {
  switch (asset.kind) {
    case 'groups':
      return [{ level: 'member', through: { kind: 'group', name: asset.name } }];
    case 'endpoints':
      return endpointRights(source, asset, options);
    case 'models':
      // Unity Catalog files registered models under functions.
      return privilegesOn(source, 'function', asset.id, options);
    case 'features':
      return privilegesOn(source, 'table', asset.rightsOf ?? asset.id, options);
    case 'experiments':
    case 'clusters':
    case 'jobs':
      return levelsOn(source, asset.kind, asset.id, options);
  }
}

/** An endpoint tells the person's level to everybody who sees it, and through whom only to those who may look. */
async function endpointRights(
  source: EntitlementSource,
  asset: Asset,
  options: CallOptions,
): Promise<Right[]> {
  const { name, rightsOf } = asset;
  const level = asset.level ?? (await source.servingEndpointLevel(name, options));
  const listed =
    rightsOf === undefined
      ? undefined
      : await orNotVisible(() => levelsOn(source, 'serving-endpoints', rightsOf, options));
  const isListed = listed?.some((right) => right.level === level) ?? false;
  return [
    ...(level === undefined || isListed ? [] : [{ level, through: { kind: 'unsaid' } } as const]),
    ...(listed ?? []),
  ];
}

async function privilegesOn(
  source: EntitlementSource,
  type: string,
  fullName: string,
  options: CallOptions,
): Promise<Right[]> {
  const me = await source.me(options);
  const groups = new Set(me.groups.map(({ name }) => name));
  const privileges = await source.effectivePermissions(type, fullName, undefined, options);
  return privileges.flatMap(({ principal, privilege }): Right[] => {
    if (principal === me.userName) return [{ level: privilege, through: { kind: 'self' } }];
    if (!groups.has(principal)) return [];
    return [{ level: privilege, through: { kind: 'group', name: principal } }];
  });
}

async function levelsOn(
  source: EntitlementSource,
  type: ObjectType,
  id: string,
  options: CallOptions,
): Promise<Right[]> {
  const me = await source.me(options);
  const list = await source.objectPermissions(type, id, options);
  return list.flatMap((entry) => {
    const through = throughWhom(me, entry);
    return through === undefined ? [] : [{ level: entry.level, through }];
  });
}

function throughWhom(me: CurrentPrincipal, { principal }: ObjectPermission): Through | undefined {
  switch (principal.kind) {
    case 'user':
      return principal.name === me.userName ? { kind: 'self' } : undefined;
    case 'group':
      return me.groups.some(({ name }) => name === principal.name)
        ? { kind: 'group', name: principal.name }
        : undefined;
    case 'service-principal':
      return principal.applicationId === me.userName ? { kind: 'self' } : undefined;
  }
}

/** 403 says that the person may not look, not that there is nothing. */
async function orNotVisible<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (hasCode(error, 'databricks_permission_denied')) return undefined;
    throw error;
  }
}
