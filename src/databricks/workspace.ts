import type { EpochMs } from '../domain/time.ts';

/** What every call takes. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Goes to the end of the `User-Agent`, which Databricks' audit keeps: `grant/<id>`. */
  readonly userAgentSuffix?: string;
}

/** What the calls of long lists take. */
export interface ListOptions<Row> extends CallOptions {
  /** Told of each page as it comes, and waited for before the next one is read; the answer holds them all. */
  readonly onPage?: (rows: readonly Row[]) => Promise<void>;
}

/** The caller as Databricks knows it. */
export interface CurrentPrincipal {
  /** Databricks' numeric id, as the string that SCIM uses. */
  readonly id: string;
  /** E-mail of a person; application id of a service principal. */
  readonly userName: string;
  readonly displayName: string;
  readonly active: boolean;
  readonly externalId: string | undefined;
  /** Groups that the principal is in, directly. */
  readonly groups: readonly { readonly id: string; readonly name: string }[];
  /** `workspace-access`, `databricks-sql-access`, `allow-cluster-create`, … */
  readonly entitlements: readonly string[];
}

/** A model registered in Unity Catalog. */
export interface RegisteredModel {
  /** `catalog.schema.name`. */
  readonly fullName: string;
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  readonly owner: string | undefined;
  readonly comment: string | undefined;
  readonly updatedAtMs: EpochMs | undefined;
}

/** A privilege on a securable, granted on it or inherited from the catalog or schema above. */
export interface EffectivePrivilege {
  /** User name, group name or application id. */
  readonly principal: string;
  readonly privilege: string;
  readonly inheritedFrom: { readonly type: string; readonly name: string } | undefined;
}

/** An MLflow experiment. */
export interface Experiment {
  readonly id: string;
  readonly name: string;
  readonly lastUpdatedAtMs: EpochMs | undefined;
}

/** A feature of Unity Catalog. */
export interface Feature {
  /** `catalog.schema.name`. */
  readonly fullName: string;
  readonly description: string | undefined;
  /** The table that it is read from, by its full name: who may read that may read it. */
  readonly table: string | undefined;
}

/** A model serving endpoint. */
export interface ServingEndpoint {
  /** What the permissions API wants; other calls take the name. Databricks' own pay-per-token endpoints have none. */
  readonly id: string | undefined;
  readonly name: string;
  readonly ready: boolean;
  readonly creator: string | undefined;
  readonly task: string | undefined;
  /** The caller's own level, where the list carries it. */
  readonly permissionLevel: string | undefined;
}

/** A cluster. */
export interface Cluster {
  readonly id: string;
  readonly name: string;
  /** `RUNNING`, `TERMINATED`, … */
  readonly state: string;
  readonly creator: string | undefined;
}

/** A job. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly creator: string | undefined;
}

/** Object types of the permissions API whose rights the product reads. */
export type ObjectType =
  | 'clusters'
  | 'cluster-policies'
  | 'jobs'
  | 'experiments'
  | 'registered-models'
  | 'serving-endpoints'
  | 'notebooks'
  | 'directories'
  | 'warehouses';

/** One principal's level on an object. */
export interface ObjectPermission {
  readonly principal:
    | { readonly kind: 'user'; readonly name: string }
    | { readonly kind: 'group'; readonly name: string }
    | { readonly kind: 'service-principal'; readonly applicationId: string };
  /** `CAN_QUERY`, `CAN_MANAGE`, … */
  readonly level: string;
  readonly inherited: boolean;
}

/** A group of the account. */
export interface Group {
  readonly id: string;
  readonly displayName: string;
  /** Direct members only, by their numeric ids. */
  readonly members: readonly GroupMember[];
}

/** A direct member of a group. */
export interface GroupMember {
  /** The member's numeric id, as SCIM's string. */
  readonly value: string;
  readonly display: string | undefined;
}

/** A personal access token as an administrator's inventory shows it: never its value. */
export interface ListedToken {
  readonly id: string;
  readonly comment: string;
  /** Databricks' id of who had it made; undefined where it does not say. */
  readonly createdById: string | undefined;
  /** Databricks' id of whom it acts as; undefined where it does not say. */
  readonly ownerId: string | undefined;
  readonly createdAtMs: EpochMs | undefined;
  /** To the day; undefined where it was never used, or Databricks does not say. */
  readonly lastUsedAtMs: EpochMs | undefined;
  /** Undefined for a token without an end. */
  readonly expiresAtMs: EpochMs | undefined;
}

/** A user of a workspace. */
export interface WorkspaceUser {
  /** Databricks' numeric id, as the string that SCIM uses. */
  readonly id: string;
  readonly userName: string;
  readonly externalId: string | undefined;
}

/** What a token on behalf of a service principal is made of. */
export interface TokenOrder {
  /** Whom the token acts as. */
  readonly applicationId: string;
  /** Whole seconds, at least 1. Databricks' own default is two years, so one is always sent. */
  readonly lifetimeSeconds: number;
  readonly comment: string;
}

/**
 * The most members that one call adds or removes. Each removal is an operation with a filter of its own: a hundred of
 * them stay far from the 200 nodes that a SCIM filter may have and from any limit on a body. Source:
 * reference/databricks-apis.md §0, §3.
 */
export const MEMBERS_AT_ONCE = 100;

/** The Lakebase database that a password is for: an endpoint by its full name, or an instance of the older kind. */
export type LakebaseTarget =
  { readonly kind: 'endpoint'; readonly name: string } | { readonly kind: 'instance'; readonly name: string };

/** A password of Lakebase. Whoever is connected when it expires stays so. */
export interface DatabaseCredential {
  readonly password: string;
  readonly expiresAtMs: EpochMs;
}

/**
 * A typed client of one workspace, acting as whoever the token stands for. Every method throws
 * `DatabricksError` for a refusal, `databricks_unexpected_answer` for an answer of another shape, and the
 * transport's `unreachable`, `timed_out` and `cancelled`. Lists are read to their end.
 */
export interface WorkspaceClient {
  /** Origin of the workspace. */
  readonly host: string;
  me(options?: CallOptions): Promise<CurrentPrincipal>;
  /** The registered models that the caller may see. */
  models(
    options?: ListOptions<RegisteredModel> & { readonly catalog?: string; readonly schema?: string },
  ): Promise<RegisteredModel[]>;
  /**
   * Privileges on a Unity Catalog securable. A registered model's type is `function`. Groups are not expanded:
   * ask for each of a person's groups, or leave `principal` out.
   */
  effectivePermissions(
    securableType: string,
    fullName: string,
    principal?: string,
    options?: CallOptions,
  ): Promise<EffectivePrivilege[]>;
  experiments(options?: ListOptions<Experiment>): Promise<Experiment[]>;
  /** The features that the caller may see. */
  features(options?: ListOptions<Feature>): Promise<Feature[]>;
  servingEndpoints(options?: CallOptions): Promise<ServingEndpoint[]>;
  /** The caller's own level on an endpoint (`CAN_QUERY`, …), undefined where it has none that it may know of. */
  servingEndpointLevel(name: string, options?: CallOptions): Promise<string | undefined>;
  clusters(options?: ListOptions<Cluster>): Promise<Cluster[]>;
  jobs(options?: ListOptions<Job>): Promise<Job[]>;
  /** The object's list of rights. 403 says "not visible to you", never "no access". */
  objectPermissions(type: ObjectType, id: string, options?: CallOptions): Promise<ObjectPermission[]>;
  /** The user whose `externalId` is the identity provider's subject. */
  resolveUserByExternalId(
    externalId: string,
    options?: CallOptions,
  ): Promise<{ readonly id: string; readonly userName: string }>;
  /** The ids of the account's users of this name, through the workspace's account proxy. */
  userIdsNamed(userName: string, options?: CallOptions): Promise<string[]>;
  /** A password for the caller in a Lakebase database. Each call makes another. */
  databaseCredential(target: LakebaseTarget, options?: CallOptions): Promise<DatabaseCredential>;
  /** An account group, through the workspace's account proxy. */
  group(groupId: string, options?: CallOptions): Promise<Group>;
  /** The ids of the account groups of this name, through the workspace's account proxy. */
  groupIdsNamed(displayName: string, options?: CallOptions): Promise<string[]>;
  /** The account that the workspace says it belongs to; undefined where it says nothing. */
  accountId(options?: CallOptions): Promise<string | undefined>;
  /**
   * Adds direct members, at most {@link MEMBERS_AT_ONCE}: all of them or, where Databricks refuses, none. It takes
   * adding somebody who is in as done. Reads may lag behind.
   */
  addGroupMembers(groupId: string, principalIds: readonly string[], options?: CallOptions): Promise<void>;
  /**
   * Removes direct members, at most {@link MEMBERS_AT_ONCE}, in one call. Removing somebody who is out is done too.
   * Reads may lag behind.
   *
   * @throws {OamError} `principal_id_malformed`, before anything is sent.
   */
  removeGroupMembers(groupId: string, principalIds: readonly string[], options?: CallOptions): Promise<void>;
  /**
   * Makes a personal access token on behalf of a service principal, which needs `CAN_USE` on tokens; the caller has to be a
   * workspace admin. AWS and GCP only. The one call here that is never repeated: each makes another token. Source:
   * reference/databricks-apis.md §2.
   *
   * @throws {DatabricksError} also `databricks_quota_used_up`.
   */
  createTokenOnBehalf(
    order: TokenOrder,
    options?: CallOptions,
  ): Promise<{ readonly value: string; readonly token: ListedToken }>;
  /** Everybody's personal access tokens in the workspace, for a workspace admin. There are no pages. */
  personalTokens(options?: CallOptions): Promise<ListedToken[]>;
  /** Everybody in the workspace, service principals apart. */
  users(options?: CallOptions): Promise<WorkspaceUser[]>;
  /**
   * Deletes anybody's personal access token, for a workspace admin. Reads may lag behind.
   *
   * @throws {DatabricksError} `databricks_not_found` where there is none of this id.
   */
  deletePersonalToken(id: string, options?: CallOptions): Promise<void>;
}
