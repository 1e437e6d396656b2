export { DatabricksError } from './errors.ts';
export { hostTrust, type HostTrust, isAzureHost, requireTrusted, trustAmong } from './host-trust.ts';
export type { BoundedRetry, RetryPolicy } from './retry.ts';
export type { BearerToken, RenewableToken } from './oauth.ts';
export {
  type ClientCredentials,
  exchangeSubjectToken,
  requestClientCredentials,
  type TokenExchange,
} from './tokens.ts';
export {
  beginUserSignIn,
  type BegunUserSignIn,
  DATABRICKS_CLI_CLIENT_ID,
  refreshUserToken,
  revokeUserToken,
  type UserSignInPlace,
} from './user-sign-in.ts';
export type * from './workspace.ts';
export { MEMBERS_AT_ONCE } from './workspace.ts';
export { createWorkspaceClient, type WorkspaceClientOptions } from './workspace-client.ts';
