import type { RunningSandboxDatabricks, SandboxDatabricksOptions } from './options.ts';

/** Starts the stand-in account with its two workspaces. */
export function startSandboxDatabricks(
  _options: SandboxDatabricksOptions,
): Promise<RunningSandboxDatabricks> {
  return Promise.reject(new Error('The stand-in is not built yet.'));
}
