import type { CurrentPrincipal, ObjectPermission, WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';

/** The kinds of assets whose rights are shown, in the order of the tree. */
export const ASSET_KINDS = ['models', 'endpoints', 'experiments', 'clusters', 'jobs', 'groups'] as const;

/** One of {@link ASSET_KINDS}. */
export type AssetKind = (typeof ASSET_KINDS)[number];

/** Something on Databricks that the person can see. */
export interface Asset {
  readonly kind: AssetKind;
  readonly id: string;
  readonly name: string;
  /** What the list says of it: a state, an owner. */
  readonly note: string | undefined;
  /** The person's own level, where the list says it. */
  readonly level?: string | undefined;
}

/** The rights on one asset. Not seeing them is no proof of having none. */
export type Rights =
  { readonly kind: 'listed'; readonly levels: readonly Right[] } | { readonly kind: 'notVisible' };

/** One right, and through whom. */
export interface Right {
  readonly level: string;
  /** The person's own name, or the group that gives it. */
  readonly through: string | undefined;
}

/** What a list of assets gave. */
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
  | 'clusters'
  | 'jobs'
  | 'objectPermissions'
  | 'effectivePermissions'
>;

/** Lists the assets of a kind that the person can see, by name. */
export async function listAssets(
  source: EntitlementSource,
  kind: AssetKind,
  signal?: AbortSignal,
): Promise<AssetList> {
  const assets = await orNotVisible(() => readAssets(source, kind, signal));
  if (assets === undefined) return { kind: 'notVisible' };
  return { kind: 'listed', assets: assets.sort((a, b) => a.name.localeCompare(b.name)) };
}

async function readAssets(
  source: EntitlementSource,
  kind: AssetKind,
  signal?: AbortSignal,
): Promise<Asset[]> {
  const options = signal === undefined ? {} : { signal };
  switch (kind) {
    case 'models':
      return (await source.models(options)).map((model) => ({
        kind,
        id: model.fullName,
        name: model.fullName,
        note: model.owner,
      }));
    case 'endpoints':
      return (await source.servingEndpoints(options)).map(({ name, task, permissionLevel }) => ({
        kind,
        id: name,
        name,
        note: task,
        level: permissionLevel,
      }));
    case 'experiments':
      return (await source.experiments(options)).map(({ id, name }) => ({ kind, id, name, note: undefined }));
    case 'clusters':
      return (await source.clusters(options)).map(({ id, name, state }) => ({ kind, id, name, note: state }));
    case 'jobs':
      return (await source.jobs(options)).map(({ id, name, creator }) => ({ kind, id, name, note: creator }));
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
  const rights = await orNotVisible(() => readRights(source, asset, signal));
  return rights === undefined ? { kind: 'notVisible' } : { kind: 'listed', levels: rights };
}

async function readRights(source: EntitlementSource, asset: Asset, signal?: AbortSignal): Promise<Right[]> {
  const options = signal === undefined ? {} : { signal };
  switch (asset.kind) {
    case 'groups':
      return [];
    case 'endpoints': {
      const level = await source.servingEndpointLevel(asset.name, options);
      return level === undefined ? [] : [{ level, through: undefined }];
    }
    case 'models': {
      const me = await source.me(options);
      const names = new Set([me.userName, ...me.groups.map(({ name }) => name)]);
      // Unity Catalog files registered models under functions.
      const privileges = await source.effectivePermissions('function', asset.id, undefined, options);
      return privileges
        .filter(({ principal }) => names.has(principal))
        .map(({ principal, privilege }) => ({ level: privilege, through: principal }));
    }
    case 'experiments':
    case 'clusters':
    case 'jobs': {
      const me = await source.me(options);
      const list = await source.objectPermissions(asset.kind, asset.id, options);
      return list.flatMap((entry) => {
        const through = throughWhom(me, entry);
        return through === undefined ? [] : [{ level: entry.level, through }];
      });
    }
  }
}

function throughWhom(me: CurrentPrincipal, { principal }: ObjectPermission): string | undefined {
  switch (principal.kind) {
    case 'user':
      return principal.name === me.userName ? principal.name : undefined;
    case 'group':
      return me.groups.some(({ name }) => name === principal.name) ? principal.name : undefined;
    case 'service-principal':
      return principal.applicationId === me.userName ? principal.applicationId : undefined;
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
