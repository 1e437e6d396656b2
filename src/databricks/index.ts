export { DatabricksError } from './errors.ts';
export { hostTrust, type HostTrust, isAzureHost } from './host-trust.ts';
export type { BoundedRetry, RetryPolicy } from './retry.ts';
export {
  type BearerToken,
  type ClientCredentials,
  exchangeSubjectToken,
  requestClientCredentials,
  type TokenExchange,
} from './tokens.ts';
export type * from './workspace.ts';
export { MEMBERS_AT_ONCE } from './workspace.ts';
export { createWorkspaceClient, type WorkspaceClientOptions } from './workspace-client.ts';
