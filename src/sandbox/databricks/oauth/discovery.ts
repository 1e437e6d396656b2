import type { Route } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import { SEED } from '../seed/identities.ts';
import type { World } from '../world.ts';
import type { WorkspaceKey } from '../places.ts';

const PKCE_ONLY = ['S256'];
const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
];

/** The scopes that tokens can be asked for. */
export const SCOPES: readonly string[] = ['all-apis', 'offline_access', 'openid', 'profile', 'email'];

/** How clients find the endpoints: a workspace's. */
export function workspaceDiscoveryRoutes(world: World, key: WorkspaceKey): Route[] {
  const oidc = (): string => `${world.hosts[key]}/oidc`;
  return [
    {
      method: 'GET',
      path: '/.well-known/databricks-config',
      open: true,
      handle: () =>
        ok({
          oidc_endpoint: oidc(),
          account_id: SEED.accountId,
          workspace_id: SEED.workspaces[key].id,
          cloud: 'AWS',
          host_type: 'workspace',
          token_federation_default_oidc_audiences: [SEED.accountId],
        }),
    },
    ...documents(world, oidc, '/oidc', key),
  ];
}

/** How clients find the endpoints: the account's. */
export function accountDiscoveryRoutes(world: World): Route[] {
  const base = `/oidc/accounts/${SEED.accountId}`;
  const oidc = (): string => `${world.hosts.account}${base}`;
  return [
    {
      method: 'GET',
      path: '/.well-known/databricks-config',
      open: true,
      handle: () =>
        ok({
          oidc_endpoint: `${world.hosts.account}/oidc/accounts/{account_id}`,
          account_id: SEED.accountId,
          cloud: 'AWS',
          host_type: 'account',
        }),
    },
    ...documents(world, oidc, base, 'account'),
  ];
}

function documents(world: World, oidc: () => string, base: string, place: string): Route[] {
  const document = () =>
    ok({
      issuer: oidc(),
      authorization_endpoint: `${oidc()}/v1/authorize`,
      token_endpoint: `${oidc()}/v1/token`,
      jwks_uri: `${oidc()}/jwks.json`,
      scopes_supported: SCOPES,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: GRANT_TYPES,
      code_challenge_methods_supported: PKCE_ONLY,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      authorization_response_iss_parameter_supported: place !== 'account',
    });
  return [
    { method: 'GET', path: `${base}/.well-known/oauth-authorization-server`, open: true, handle: document },
    { method: 'GET', path: `${base}/.well-known/openid-configuration`, open: true, handle: document },
    { method: 'GET', path: `${base}/jwks.json`, open: true, handle: () => ok(world.tokens.jwks) },
  ];
}
