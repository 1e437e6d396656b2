import * as z from 'zod/mini';

import { hasCode, OamError } from '../domain/errors.ts';
import type { HttpRequest, HttpTransport } from '../protocol/transport.ts';
import { DatabricksError, isRefusal, readRefusal, unexpectedAnswer } from './errors.ts';
import { DEFAULT_RETRY, type RetryPolicy, withRetries } from './retry.ts';
import * as shapes from './shapes.ts';
import {
  type CallOptions,
  type ListOptions,
  MEMBERS_AT_ONCE,
  type WorkspaceClient,
  type WorkspaceUser,
} from './workspace.ts';

/** What {@link createWorkspaceClient} needs. */
export interface WorkspaceClientOptions {
  /** Origin of the workspace, without a trailing slash. */
  readonly host: string;
  /** A token that is good now; asked for before every attempt. */
  readonly token: () => Promise<string>;
  /** Told of a token that Databricks does not accept. Where given, the call is made once more with the next token. */
  readonly dropToken?: (token: string) => void;
  readonly transport: HttpTransport;
  /** `dbx-oam/1` unless given. */
  readonly userAgent?: string;
  /** One minute of patience unless given. Only calls that may be repeated are. */
  readonly retry?: RetryPolicy;
}

interface Call extends Pick<HttpRequest, 'method'> {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
}

const WORKSPACE_USERS = '/api/2.0/preview/scim/v2/Users';

/** The most that Databricks gives on one page of users. */
const USERS_AT_ONCE = 100;

const SCIM_MEDIA_TYPE = 'application/scim+json';
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** The longest that Databricks gives. */
const LAKEBASE_PASSWORD_TTL = '3600s';

/** More pages than any list has: a server that never ends its list is not Databricks. */
const MAX_PAGES = 1_000;

/** Creates a client of one workspace. See {@link WorkspaceClient} for what its methods throw. */
export function createWorkspaceClient(options: WorkspaceClientOptions): WorkspaceClient {
  const host = new URL(options.host).origin;
  const userAgent = options.userAgent ?? 'dbx-oam/1';

  const once = async (call: Call, callOptions: CallOptions, token: string): Promise<string> => {
    const suffix = callOptions.userAgentSuffix === undefined ? '' : ` ${callOptions.userAgentSuffix}`;
    const answer = await options.transport({
      method: call.method,
      url: host + call.path + queryOf(call.query),
      headers: {
        accept: call.contentType ?? 'application/json',
        authorization: `Bearer ${token}`,
        'user-agent': userAgent + suffix,
        ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      ...(callOptions.signal && { signal: callOptions.signal }),
    });
    if (isRefusal(answer)) throw new DatabricksError(readRefusal(answer));
    return answer.text;
  };

  const authenticated = async (call: Call, callOptions: CallOptions): Promise<string> => {
    const token = await options.token();
    try {
      return await once(call, callOptions, token);
    } catch (error) {
      if (options.dropToken === undefined || !hasCode(error, 'databricks_unauthenticated')) throw error;
      options.dropToken(token);
      return once(call, callOptions, await options.token());
    }
  };

  // What may be repeated: reads, searches, adding or removing members and deleting, which are done or not.
  const send = (call: Call, callOptions: CallOptions = {}): Promise<string> =>
    withRetries(options.retry ?? DEFAULT_RETRY, callOptions.signal, () => authenticated(call, callOptions));

  const read = async <Output>(
    schema: z.ZodMiniType<Output>,
    call: Call,
    callOptions?: CallOptions,
  ): Promise<Output> => parse(schema, await send(call, callOptions), call.path);

  /** Reads a list to its end; a page may be empty and still not be the last. */
  const readPages = async <Row, Page extends { readonly next_page_token?: string | undefined }>(
    schema: z.ZodMiniType<Page>,
    call: (pageToken: string | undefined) => Call,
    rowsOf: (page: Page) => readonly Row[],
    callOptions?: ListOptions<Row>,
  ): Promise<Row[]> => {
    const rows: Row[] = [];
    let pageToken: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await read(schema, call(pageToken), callOptions);
      const added = rowsOf(page);
      rows.push(...added);
      pageToken = page.next_page_token;
      const isLast = pageToken === undefined || pageToken === '';
      const waited = callOptions?.onPage?.(added);
      if (isLast) return rows;
      await waited;
    }
    throw unexpectedAnswer(`${call(undefined).path}, a list without an end`);
  };

  const groupPath = (groupId: string): string =>
    `/api/2.0/account/scim/v2/Groups/${encodeURIComponent(groupId)}`;

  const patchGroup = async (
    groupId: string,
    principalIds: readonly string[],
    operationsOf: () => readonly object[],
    callOptions?: CallOptions,
  ): Promise<void> => {
    if (principalIds.length < 1 || principalIds.length > MEMBERS_AT_ONCE) {
      throw new RangeError(`Members of one call: ${principalIds.length}`);
    }
    await send(
      {
        method: 'PATCH',
        path: groupPath(groupId),
        body: { schemas: [PATCH_OP], Operations: operationsOf() },
        contentType: SCIM_MEDIA_TYPE,
      },
      callOptions,
    );
  };

  return {
    host,

    me: (o) => read(shapes.Me, { method: 'GET', path: '/api/2.0/preview/scim/v2/Me' }, o),

    models: (o = {}) =>
      readPages(
        shapes.ModelsPage,
        (page_token) => ({
          method: 'GET',
          path: '/api/2.1/unity-catalog/models',
          query: { catalog_name: o.catalog, schema_name: o.schema, max_results: 0, page_token },
        }),
        (page) => page.registered_models ?? [],
        o,
      ),

    effectivePermissions: (securableType, fullName, principal, o) =>
      readPages(
        shapes.EffectivePermissionsPage,
        (page_token) => ({
          method: 'GET',
          path: `/api/2.1/unity-catalog/effective-permissions/${encodeURIComponent(securableType)}/${encodeURIComponent(fullName)}`,
          query: { principal, max_results: 0, page_token },
        }),
        (page) => (page.privilege_assignments ?? []).flat(),
        o,
      ),

    experiments: (o) =>
      readPages(
        shapes.ExperimentsPage,
        (page_token) => ({
          method: 'POST',
          path: '/api/2.0/mlflow/experiments/search',
          body: {
            max_results: 200,
            view_type: 'ACTIVE_ONLY',
            ...(page_token !== undefined && { page_token }),
          },
        }),
        (page) => page.experiments ?? [],
        o,
      ),

    features: (o) =>
      readPages(
        shapes.FeaturesPage,
        (page_token) => ({
          method: 'GET',
          path: '/api/2.0/feature-engineering/features',
          query: { page_size: 100, page_token },
        }),
        (page) => page.features ?? [],
        o,
      ),

    servingEndpoints: async (o) => {
      const list = await read(shapes.EndpointsList, { method: 'GET', path: '/api/2.0/serving-endpoints' }, o);
      return [...(list.endpoints ?? [])];
    },

    servingEndpointLevel: async (name, o) => {
      const path = `/api/2.0/serving-endpoints/${encodeURIComponent(name)}`;
      return (await read(shapes.EndpointDetail, { method: 'GET', path }, o)).permission_level;
    },

    clusters: (o) =>
      readPages(
        shapes.ClustersPage,
        (page_token) => ({
          method: 'GET',
          path: '/api/2.1/clusters/list',
          query: { page_size: 100, page_token },
        }),
        (page) => page.clusters ?? [],
        o,
      ),

    jobs: (o) =>
      readPages(
        shapes.JobsPage,
        (page_token) => ({ method: 'GET', path: '/api/2.2/jobs/list', query: { limit: 100, page_token } }),
        (page) => page.jobs ?? [],
        o,
      ),

    objectPermissions: async (type, id, o) => {
      const path = `/api/2.0/permissions/${type}/${encodeURIComponent(id)}`;
      return (await read(shapes.ObjectAccess, { method: 'GET', path }, o)).flat();
    },

    resolveUserByExternalId: async (externalId, o) => {
      const { user } = await read(
        shapes.ResolvedUser,
        {
          method: 'POST',
          path: '/api/2.0/identity/users/resolve-by-external-id',
          body: { external_id: externalId },
        },
        o,
      );
      return { id: user.user_id, userName: user.username };
    },

    userIdsNamed: async (userName, o) => {
      const call: Call = {
        method: 'GET',
        path: '/api/2.0/account/scim/v2/Users',
        query: { filter: `userName eq ${JSON.stringify(userName)}`, attributes: 'id,userName' },
        contentType: SCIM_MEDIA_TYPE,
      };
      return (await read(shapes.ResourceIds, call, o)).map((user) => user.id);
    },

    databaseCredential: (target, o) => {
      const call: Call =
        target.kind === 'endpoint'
          ? {
              method: 'POST',
              path: '/api/2.0/postgres/credentials',
              body: { endpoint: target.name, ttl: LAKEBASE_PASSWORD_TTL },
            }
          : {
              method: 'POST',
              path: '/api/2.0/database/credentials',
              body: { instance_names: [target.name], request_id: globalThis.crypto.randomUUID() },
            };
      return read(shapes.IssuedDatabaseCredential, call, o);
    },

    group: (groupId, o) =>
      read(shapes.GroupRead, { method: 'GET', path: groupPath(groupId), contentType: SCIM_MEDIA_TYPE }, o),

    groupIdsNamed: async (displayName, o) => {
      const filter = `displayName eq ${JSON.stringify(displayName)}`;
      const call: Call = {
        method: 'GET',
        path: '/api/2.0/account/scim/v2/Groups',
        query: { filter, attributes: 'id,displayName' },
        contentType: SCIM_MEDIA_TYPE,
      };
      return (await read(shapes.ResourceIds, call, o)).map((group) => group.id);
    },

    accountId: async (o) =>
      (await read(shapes.HostConfig, { method: 'GET', path: '/.well-known/databricks-config' }, o))
        .account_id,

    addGroupMembers: (groupId, principalIds, o) =>
      patchGroup(
        groupId,
        principalIds,
        () => [{ op: 'add', path: 'members', value: principalIds.map((value) => ({ value })) }],
        o,
      ),

    removeGroupMembers: (groupId, principalIds, o) =>
      patchGroup(
        groupId,
        principalIds,
        () =>
          principalIds.map((principalId) => {
            // The id goes into a filter; anything but digits could reach other members.
            if (!/^\d+$/.test(principalId)) throw malformedId(principalId);
            return { op: 'remove', path: `members[value eq "${principalId}"]` };
          }),
        o,
      ),

    createTokenOnBehalf: async ({ applicationId, lifetimeSeconds, comment }, o = {}) => {
      const path = '/api/2.0/token-management/on-behalf-of/tokens';
      const body = { application_id: applicationId, lifetime_seconds: lifetimeSeconds, comment };
      const text = await authenticated({ method: 'POST', path, body }, o);
      return parse(shapes.CreatedToken, text, path);
    },

    personalTokens: async (o) => {
      const call: Call = { method: 'GET', path: '/api/2.0/token-management/tokens' };
      return [...((await read(shapes.TokenList, call, o)).token_infos ?? [])];
    },

    users: async (o) => {
      const users: WorkspaceUser[] = [];
      for (let pages = 0; pages < MAX_PAGES; pages++) {
        const page = await read(
          shapes.UsersPage,
          {
            method: 'GET',
            path: WORKSPACE_USERS,
            query: {
              attributes: 'id,userName,externalId',
              startIndex: users.length + 1,
              count: USERS_AT_ONCE,
            },
            contentType: SCIM_MEDIA_TYPE,
          },
          o,
        );
        users.push(...page.users);
        if (page.users.length === 0 || users.length >= page.total) return users;
      }
      throw unexpectedAnswer(`${WORKSPACE_USERS}, a list without an end`);
    },

    deletePersonalToken: async (id, o) => {
      await send({ method: 'DELETE', path: `/api/2.0/token-management/tokens/${encodeURIComponent(id)}` }, o);
    },
  };
}

function malformedId(principalId: string): OamError {
  return new OamError(
    'principal_id_malformed',
    'A member of a group is known by something that is no id of Databricks. Remove them there by hand, and tell your administrator.',
    { detail: principalId },
  );
}

function queryOf(query: Call['query']): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}

function parse<Output>(schema: z.ZodMiniType<Output>, text: string, path: string): Output {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unexpectedAnswer(`${path}, not JSON`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw unexpectedAnswer(`${path}, ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
