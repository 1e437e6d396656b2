/** One of the two workspaces. */
export type WorkspaceKey = 'prod' | 'dev';

/** The three doors: the account's and two workspaces'. */
export type Place = 'account' | WorkspaceKey;
