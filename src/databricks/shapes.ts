/**
 * Databricks' answers as schemas, each turned into the product's own words. Unknown fields are ignored: Databricks
 * adds some every month. Source: reference/databricks-apis.md §1–§3, databricks-sdk-py.
 */
import * as z from 'zod/mini';

import type {
  Cluster,
  CurrentPrincipal,
  DatabaseCredential,
  EffectivePrivilege,
  Experiment,
  Feature,
  Group,
  Job,
  ObjectPermission,
  ListedToken,
  RegisteredModel,
  ServingEndpoint,
  WorkspaceUser,
} from './workspace.ts';

const optionalText = z.optional(z.string());
const NextPage = { next_page_token: optionalText };

/** Databricks sends 64-bit numbers as JSON numbers in one API and as strings in the next. */
const numberOrDigits = z.pipe(
  z.union([z.number(), z.string().check(z.regex(/^-?\d+$/))]),
  z.transform(Number),
);

/** `GET /scim/v2/Me`. */
export const Me = z.pipe(
  z.object({
    id: z.string(),
    userName: z.string(),
    displayName: optionalText,
    active: z.optional(z.boolean()),
    externalId: optionalText,
    groups: z.optional(z.array(z.object({ value: z.string(), display: optionalText, type: optionalText }))),
    entitlements: z.optional(z.array(z.object({ value: z.string() }))),
  }),
  z.transform((me): CurrentPrincipal => ({
    id: me.id,
    userName: me.userName,
    displayName: me.displayName ?? me.userName,
    active: me.active ?? true,
    externalId: me.externalId,
    groups: (me.groups ?? [])
      .filter((group) => group.type !== 'indirect')
      .map((group) => ({ id: group.value, name: group.display ?? group.value })),
    entitlements: (me.entitlements ?? []).map((entitlement) => entitlement.value),
  })),
);

const Model = z.pipe(
  z.object({
    full_name: optionalText,
    catalog_name: z.string(),
    schema_name: z.string(),
    name: z.string(),
    owner: optionalText,
    comment: optionalText,
    updated_at: z.optional(numberOrDigits),
  }),
  z.transform((model): RegisteredModel => ({
    fullName: model.full_name ?? `${model.catalog_name}.${model.schema_name}.${model.name}`,
    catalog: model.catalog_name,
    schema: model.schema_name,
    name: model.name,
    owner: model.owner,
    comment: model.comment,
    updatedAtMs: model.updated_at,
  })),
);

/** One page of `GET /unity-catalog/models`. */
export const ModelsPage = z.object({ registered_models: z.optional(z.array(Model)), ...NextPage });

const PrivilegeAssignment = z.pipe(
  z.object({
    principal: z.string(),
    privileges: z.optional(
      z.array(
        z.object({
          privilege: z.string(),
          inherited_from_type: optionalText,
          inherited_from_name: optionalText,
        }),
      ),
    ),
  }),
  z.transform((assignment): EffectivePrivilege[] =>
    (assignment.privileges ?? []).map((entry) => ({
      principal: assignment.principal,
      privilege: entry.privilege,
      inheritedFrom:
        entry.inherited_from_type === undefined
          ? undefined
          : { type: entry.inherited_from_type, name: entry.inherited_from_name ?? '' },
    })),
  ),
);

/** One page of `GET /unity-catalog/effective-permissions/…`. */
export const EffectivePermissionsPage = z.object({
  privilege_assignments: z.optional(z.array(PrivilegeAssignment)),
  ...NextPage,
});

/** One page of `POST /mlflow/experiments/search`. */
export const ExperimentsPage = z.object({
  experiments: z.optional(
    z.array(
      z.pipe(
        z.object({
          experiment_id: z.string(),
          name: z.string(),
          last_update_time: z.optional(numberOrDigits),
        }),
        z.transform((row): Experiment => ({
          id: row.experiment_id,
          name: row.name,
          lastUpdatedAtMs: row.last_update_time,
        })),
      ),
    ),
  ),
  ...NextPage,
});

/** One page of `GET /feature-engineering/features`. */
export const FeaturesPage = z.object({
  features: z.optional(
    z.array(
      z.pipe(
        z.object({
          full_name: z.string(),
          description: optionalText,
          source: z.optional(
            z.object({ delta_table_source: z.optional(z.object({ full_name: optionalText })) }),
          ),
        }),
        z.transform((row): Feature => ({
          fullName: row.full_name,
          description: row.description,
          table: row.source?.delta_table_source?.full_name,
        })),
      ),
    ),
  ),
  ...NextPage,
});

/** `GET /serving-endpoints`. */
export const EndpointsList = z.object({
  endpoints: z.optional(
    z.array(
      z.pipe(
        z.object({
          id: optionalText,
          name: z.string(),
          creator: optionalText,
          task: optionalText,
          permission_level: optionalText,
          state: z.optional(z.object({ ready: optionalText })),
        }),
        z.transform((row): ServingEndpoint => ({
          id: row.id,
          name: row.name,
          ready: row.state?.ready === 'READY',
          creator: row.creator,
          task: row.task,
          permissionLevel: row.permission_level,
        })),
      ),
    ),
  ),
});

/** `GET /serving-endpoints/{name}`, as far as the caller's own level. */
export const EndpointDetail = z.object({ permission_level: optionalText });

/** One page of `GET /clusters/list`. */
export const ClustersPage = z.object({
  clusters: z.optional(
    z.array(
      z.pipe(
        z.object({
          cluster_id: z.string(),
          cluster_name: optionalText,
          state: optionalText,
          creator_user_name: optionalText,
        }),
        z.transform((row): Cluster => ({
          id: row.cluster_id,
          name: row.cluster_name ?? row.cluster_id,
          state: row.state ?? 'UNKNOWN',
          creator: row.creator_user_name,
        })),
      ),
    ),
  ),
  ...NextPage,
});

/** One page of `GET /jobs/list`. */
export const JobsPage = z.object({
  jobs: z.optional(
    z.array(
      z.pipe(
        z.object({
          job_id: z.union([z.number(), z.string()]),
          creator_user_name: optionalText,
          settings: z.optional(z.object({ name: optionalText })),
        }),
        z.transform((row): Job => ({
          id: String(row.job_id),
          name: row.settings?.name ?? String(row.job_id),
          creator: row.creator_user_name,
        })),
      ),
    ),
  ),
  ...NextPage,
});

const AccessControl = z.pipe(
  z.object({
    user_name: optionalText,
    group_name: optionalText,
    service_principal_name: optionalText,
    all_permissions: z.optional(
      z.array(z.object({ permission_level: z.string(), inherited: z.optional(z.boolean()) })),
    ),
  }),
  z.transform((entry): ObjectPermission[] => {
    const principal = principalOf(entry);
    if (principal === undefined) return [];
    return (entry.all_permissions ?? []).map((permission) => ({
      principal,
      level: permission.permission_level,
      inherited: permission.inherited ?? false,
    }));
  }),
);

function principalOf(entry: {
  user_name?: string | undefined;
  group_name?: string | undefined;
  service_principal_name?: string | undefined;
}): ObjectPermission['principal'] | undefined {
  if (entry.user_name !== undefined) return { kind: 'user', name: entry.user_name };
  if (entry.group_name !== undefined) return { kind: 'group', name: entry.group_name };
  if (entry.service_principal_name !== undefined) {
    return { kind: 'service-principal', applicationId: entry.service_principal_name };
  }
  return undefined;
}

/** `GET /permissions/{type}/{id}`: one list of levels for each principal. */
export const ObjectAccess = z.pipe(
  z.object({ access_control_list: z.optional(z.array(AccessControl)) }),
  z.transform((answer) => answer.access_control_list ?? []),
);

/** `POST /identity/users/resolve-by-external-id`. */
export const ResolvedUser = z.object({ user: z.object({ user_id: z.string(), username: z.string() }) });

/** `GET /account/scim/v2/Groups/{id}`. */
export const GroupRead = z.pipe(
  z.object({
    id: z.string(),
    displayName: z.string(),
    members: z.optional(z.array(z.object({ value: z.string(), display: optionalText }))),
  }),
  z.transform((group): Group => ({
    id: group.id,
    displayName: group.displayName,
    members: (group.members ?? []).map((member) => ({ value: member.value, display: member.display })),
  })),
);

/** `GET /account/scim/v2/Groups` and `Users` with a filter on one name: one page holds them all. */
export const ResourceIds = z.pipe(
  z.object({ Resources: z.optional(z.array(z.object({ id: z.string() }))) }),
  z.transform((list) => list.Resources ?? []),
);

/** `GET /.well-known/databricks-config`. */
export const HostConfig = z.object({ account_id: optionalText });

const TokenInfo = z.pipe(
  z.object({
    token_id: z.string().check(z.minLength(1)),
    comment: optionalText,
    created_by_id: z.optional(z.union([z.number(), z.string()])),
    owner_id: z.optional(z.union([z.number(), z.string()])),
    creation_time: z.optional(numberOrDigits),
    /** Epoch milliseconds of about the day; 0 or left out for never. */
    last_used_day: z.optional(numberOrDigits),
    /** Epoch milliseconds; -1 for a token without an end. */
    expiry_time: z.optional(numberOrDigits),
  }),
  z.transform((info): ListedToken => ({
    id: info.token_id,
    comment: info.comment ?? '',
    createdById: info.created_by_id === undefined ? undefined : String(info.created_by_id),
    ownerId: info.owner_id === undefined ? undefined : String(info.owner_id),
    createdAtMs: info.creation_time,
    lastUsedAtMs: info.last_used_day === 0 ? undefined : info.last_used_day,
    expiresAtMs: info.expiry_time === undefined || info.expiry_time < 0 ? undefined : info.expiry_time,
  })),
);

/** `GET /preview/scim/v2/Users`, a page. */
export const UsersPage = z.pipe(
  z.object({
    totalResults: z.optional(z.number()),
    Resources: z.optional(
      z.array(z.object({ id: z.string(), userName: z.string(), externalId: optionalText })),
    ),
  }),
  z.transform((page) => ({
    total: page.totalResults ?? 0,
    users: (page.Resources ?? []).map(({ id, userName, externalId }): WorkspaceUser => ({
      id,
      userName,
      externalId,
    })),
  })),
);

/** `POST /token-management/on-behalf-of/tokens`. */
export const CreatedToken = z.pipe(
  z.object({ token_value: z.string().check(z.minLength(1)), token_info: TokenInfo }),
  z.transform((answer) => ({ value: answer.token_value, token: answer.token_info })),
);

/** `GET /token-management/tokens`. */
export const TokenList = z.object({ token_infos: z.optional(z.array(TokenInfo)) });

/** `POST /postgres/credentials`, and `POST /database/credentials` of the older kind, which names the time otherwise. */
export const IssuedDatabaseCredential = z.pipe(
  z.union([
    z.object({ token: z.string().check(z.minLength(1)), expire_time: z.iso.datetime({ offset: true }) }),
    z.object({ token: z.string().check(z.minLength(1)), expiration_time: z.iso.datetime({ offset: true }) }),
  ]),
  z.transform((answer): DatabaseCredential => ({
    password: answer.token,
    expiresAtMs: Date.parse('expire_time' in answer ? answer.expire_time : answer.expiration_time),
  })),
);
