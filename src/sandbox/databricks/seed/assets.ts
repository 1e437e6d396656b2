import { createHash } from 'node:crypto';

import type { EpochMs } from '../../../domain/time.ts';
import type { ObjectRights, PrincipalRef } from '../account/object-rights.ts';
import type { Securables } from '../account/securables.ts';
import type { WorkspaceKey } from '../places.ts';
import { SEED, type SeededGroup } from './identities.ts';
import { type SeededTeam, TEAMS } from './teams.ts';

/** A registered model with its versions. */
export interface Model {
  readonly fullName: string;
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  readonly comment: string;
  readonly createdAtMs: EpochMs;
  updatedAtMs: EpochMs;
  readonly versions: readonly number[];
  /** Version by alias. */
  readonly aliases: Map<string, number>;
}

/** A serving endpoint. */
export interface Endpoint {
  /** Databricks' own pay-per-token endpoints have none. */
  readonly id: string | undefined;
  readonly name: string;
  readonly creator: string;
  readonly createdAtMs: EpochMs;
  updatedAtMs: EpochMs;
  /** The full name of the model, or the name of a foundation model. */
  readonly entity: string;
  entityVersion: number;
}

/** An MLflow experiment. */
export interface ExperimentRow {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: EpochMs;
  readonly updatedAtMs: EpochMs;
}

/** A cluster. */
export interface ClusterRow {
  readonly id: string;
  readonly name: string;
  readonly creator: string;
  readonly nodeType: string;
  readonly workers: number;
  /** Its access mode: dedicated to one principal, or shared. */
  readonly mode: 'SINGLE_USER' | 'USER_ISOLATION';
  /** The person, the service principal or the group that a dedicated one is for. */
  readonly dedicatedTo?: string;
  state: 'RUNNING' | 'TERMINATED' | 'PENDING' | 'RESTARTING';
}

/** A job with its runs. */
export interface JobRow {
  readonly id: number;
  readonly name: string;
  readonly creator: string;
  readonly createdAtMs: EpochMs;
  readonly runs: { readonly id: number; readonly startedAtMs: EpochMs }[];
}

/** What lies in one workspace. */
export interface WorkspaceAssets {
  readonly endpoints: Endpoint[];
  readonly experiments: ExperimentRow[];
  readonly clusters: ClusterRow[];
  readonly jobs: JobRow[];
}

/** What lies in Unity Catalog, which both workspaces share. */
export interface AccountAssets {
  readonly catalogs: readonly string[];
  readonly models: Map<string, Model>;
  readonly features: readonly FeatureRow[];
}

/** A feature of Unity Catalog. */
export interface FeatureRow {
  readonly fullName: string;
  readonly description: string;
  /** The table that it is read from. */
  readonly table: string;
}

const FIRST_DAY_MS = Date.UTC(2026, 2, 2, 9);
const DAY_MS = 86_400_000;
const OWNER = SEED.servicePrincipals.admin.applicationId;
const CATALOGS = ['prod', 'staging', 'dev'];

/** What every team computes of its table of activity. */
const FEATURES = ['clicks_7d', 'clicks_30d', 'last_seen_days'];

/** Numbers that look drawn and are always the same. */
function drawn(key: string, below: number): number {
  return createHash('sha256').update(key).digest().readUInt32BE() % below;
}

function dayOf(key: string): EpochMs {
  return FIRST_DAY_MS + drawn(key, 180) * DAY_MS + drawn(`${key}:minute`, 1_440) * 60_000;
}

function group(of: SeededGroup): PrincipalRef {
  return { kind: 'group', name: of.name };
}

/** Fills Unity Catalog: every team's models in three catalogs, and who may do what with them. */
export function seedUnityCatalog(securables: Securables): AccountAssets {
  const models = new Map<string, Model>();
  const features: FeatureRow[] = [];
  const metastore = securables.add('metastore', SEED.metastoreId, OWNER);
  for (const catalogName of CATALOGS) {
    const catalog = securables.add('catalog', catalogName, OWNER, metastore);
    catalog.grants.set(SEED.groups.everyone.name, new Set(['USE_CATALOG', 'BROWSE']));
    catalog.grants.set(SEED.groups.platform.name, new Set(['USE_CATALOG', 'BROWSE']));
    for (const team of TEAMS) {
      const schema = securables.add('schema', `${catalogName}.${team.name}`, OWNER, catalog);
      schema.grants.set(
        team.group.name,
        new Set(
          catalogName === 'prod'
            ? ['USE_SCHEMA', 'SELECT']
            : ['USE_SCHEMA', 'SELECT', 'MODIFY', 'EXECUTE', 'CREATE_MODEL'],
        ),
      );
      for (const name of team.models) {
        const model = modelOf(catalogName, team, name);
        models.set(model.fullName, model);
        securables.add('function', model.fullName, OWNER, schema);
      }
      const table = `${catalogName}.${team.name}.activity`;
      securables.add('table', table, OWNER, schema);
      for (const name of FEATURES) {
        const fullName = `${catalogName}.${team.name}.${name}`;
        features.push({ fullName, description: `${name.replaceAll('_', ' ')}, by user`, table });
      }
    }
  }
  const promoted = securables.find('function', SEED.assets.model.fullName);
  promoted?.grants.set(SEED.jitGroups.modelPromote.name, new Set(['EXECUTE', 'APPLY_TAG', 'MANAGE']));
  return { catalogs: CATALOGS, models, features };
}

function modelOf(catalog: string, team: SeededTeam, name: string): Model {
  const fullName = `${catalog}.${team.name}.${name}`;
  const newest = 1 + drawn(fullName, catalog === 'dev' ? 40 : 14);
  const createdAtMs = dayOf(fullName);
  return {
    fullName,
    catalog,
    schema: team.name,
    name,
    comment: `${name.replaceAll('_', ' ')} of the ${team.name} team`,
    createdAtMs,
    updatedAtMs: createdAtMs + drawn(`${fullName}:age`, 60) * DAY_MS,
    versions: Array.from({ length: newest }, (_, index) => index + 1),
    aliases: new Map(catalog === 'prod' ? [['champion', Math.max(1, newest - 1)]] : []),
  };
}

/** Fills a workspace and sets the rights on what is in it. */
export function seedWorkspace(key: WorkspaceKey, rights: ObjectRights): WorkspaceAssets {
  const assets: WorkspaceAssets = { endpoints: [], experiments: [], clusters: [], jobs: [] };
  for (const team of TEAMS) {
    seedEndpoints(key, team, assets, rights);
    seedExperiments(key, team, assets, rights);
    seedJobs(key, team, assets, rights);
    seedClusters(key, team, assets, rights);
  }
  seedShared(key, assets, rights);
  return assets;
}

function seedEndpoints(
  key: WorkspaceKey,
  team: SeededTeam,
  assets: WorkspaceAssets,
  rights: ObjectRights,
): void {
  for (const [prodName, model] of Object.entries(team.serves)) {
    const name = key === 'prod' ? prodName : prodName.replace(/-prod$/, '-dev');
    const id = createHash('sha256').update(`${key}:${name}`).digest('hex').slice(0, 32);
    const createdAtMs = dayOf(`${key}:${name}`);
    assets.endpoints.push({
      id,
      name,
      creator: OWNER,
      createdAtMs,
      updatedAtMs: createdAtMs + 9 * DAY_MS,
      entity: `${key}.${team.name}.${model}`,
      entityVersion: 1 + drawn(name, 8),
    });
    const standing = key === 'prod' ? 'CAN_VIEW' : 'CAN_QUERY';
    rights.set('serving-endpoints', id, { principal: group(team.group), level: standing });
    rights.set('serving-endpoints', id, { principal: group(SEED.groups.platform), level: 'CAN_VIEW' });
    if (key === 'prod' && team.name === 'recsys') {
      rights.set('serving-endpoints', id, { principal: group(SEED.jitGroups.deployer), level: 'CAN_MANAGE' });
    }
    if (key === 'prod' && name === SEED.assets.endpoint.name) {
      rights.set('serving-endpoints', id, {
        principal: group(SEED.jitGroups.endpointQuery),
        level: 'CAN_QUERY',
      });
    }
  }
}

function seedExperiments(
  key: WorkspaceKey,
  team: SeededTeam,
  assets: WorkspaceAssets,
  rights: ObjectRights,
): void {
  for (const study of team.studies) {
    const name = `/Shared/${team.name}/${study}`;
    const id = String(1_000_000_000_000_000 + drawn(`${key}:${name}`, 900_000_000) * 1_000_003);
    const createdAtMs = dayOf(`${key}:${name}`);
    assets.experiments.push({ id, name, createdAtMs, updatedAtMs: createdAtMs + 20 * DAY_MS });
    const level = key === 'prod' ? 'CAN_READ' : 'CAN_EDIT';
    rights.set('experiments', id, { principal: group(team.group), level });
  }
}

function seedJobs(key: WorkspaceKey, team: SeededTeam, assets: WorkspaceAssets, rights: ObjectRights): void {
  for (const pipeline of team.pipelines) {
    const name = `${team.name}-${pipeline}`;
    const id = 100_000_000_000 + drawn(`${key}:${name}`, 900_000_000);
    const createdAtMs = dayOf(`${key}:${name}`);
    assets.jobs.push({ id, name, creator: OWNER, createdAtMs, runs: [] });
    const level = key === 'prod' ? 'CAN_VIEW' : 'CAN_MANAGE_RUN';
    rights.set('jobs', String(id), { principal: group(team.group), level });
    rights.set('jobs', String(id), { principal: group(SEED.groups.platform), level: 'CAN_VIEW' });
  }
}

function seedClusters(
  key: WorkspaceKey,
  team: SeededTeam,
  assets: WorkspaceAssets,
  rights: ObjectRights,
): void {
  for (const [size, nodeType, workers, mode] of [
    ['cpu', 'i3.2xlarge', 4, 'USER_ISOLATION'],
    ['gpu', 'g5.4xlarge', 2, 'SINGLE_USER'],
  ] as const) {
    const name = `${team.name}-${size}`;
    const id = `1002-${String(100_000 + drawn(`${key}:${name}`, 800_000))}-${team.name.slice(0, 4)}${size}`;
    const dedicatedTo = team.name === 'recsys' ? SEED.users.ana.userName : team.group.name;
    addCluster(
      key,
      {
        ...{ id, name, creator: OWNER, nodeType, workers, mode, state: 'RUNNING' },
        ...(mode === 'SINGLE_USER' && { dedicatedTo }),
      },
      assets,
      rights,
    );
    const level = key === 'prod' ? 'CAN_ATTACH_TO' : 'CAN_RESTART';
    rights.set('clusters', id, { principal: group(team.group), level });
  }
}

/** What belongs to no team: the shared GPU cluster, Databricks' own endpoints, and who may make tokens. */
function seedShared(key: WorkspaceKey, assets: WorkspaceAssets, rights: ObjectRights): void {
  const { id, name } = SEED.assets.cluster;
  addCluster(
    key,
    {
      id,
      name,
      creator: OWNER,
      nodeType: 'p4d.24xlarge',
      workers: 2,
      mode: 'USER_ISOLATION',
      state: 'RUNNING',
    },
    assets,
    rights,
  );
  rights.set('clusters', id, { principal: group(SEED.groups.everyone), level: 'CAN_ATTACH_TO' });
  for (const model of ['databricks-gpt-oss-120b', 'databricks-llama-4-maverick', 'databricks-gte-large-en']) {
    assets.endpoints.push({
      id: undefined,
      name: model,
      creator: 'databricks',
      createdAtMs: FIRST_DAY_MS,
      updatedAtMs: FIRST_DAY_MS,
      entity: model,
      entityVersion: 1,
    });
  }
  rights.set('authorization', 'tokens', { principal: { kind: 'group', name: 'users' }, level: 'CAN_USE' });
}

function addCluster(
  key: WorkspaceKey,
  cluster: ClusterRow,
  assets: WorkspaceAssets,
  rights: ObjectRights,
): void {
  assets.clusters.push(cluster);
  rights.set('clusters', cluster.id, { principal: group(SEED.groups.platform), level: 'CAN_ATTACH_TO' });
  if (key === 'prod') {
    rights.set('clusters', cluster.id, {
      principal: group(SEED.jitGroups.clusterOperator),
      level: 'CAN_MANAGE',
    });
  }
}
