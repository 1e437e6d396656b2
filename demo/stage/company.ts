import { startSandboxDatabricks, type RunningSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  type IdentityProviderOptions,
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../src/sandbox/identity-provider/index.ts';
import type { Cleanup } from './cleanup.ts';

type DatabricksOptions = Omit<Parameters<typeof startSandboxDatabricks>[0], 'identityProvider' | 'people'>;

/** Who says who people are, and the stand-in Databricks that believes it. */
export interface Company {
  readonly identityProvider: RunningIdentityProvider;
  readonly databricks: RunningSandboxDatabricks;
}

/** Starts both, of the people whom everybody knows; they end with the cleanup. */
export async function startCompany(
  cleanup: Cleanup,
  options: {
    readonly identityProvider?: IdentityProviderOptions;
    readonly databricks?: DatabricksOptions;
  } = {},
): Promise<Company> {
  const identityProvider = await cleanup.start(
    () => startIdentityProvider(options.identityProvider),
    (running) => running.close(),
  );
  const databricks = await cleanup.start(
    () =>
      startSandboxDatabricks({
        identityProvider: { issuer: identityProvider.issuer, audience: EDITOR_CLIENT_ID },
        people: Object.values(PEOPLE),
        ...options.databricks,
      }),
    (running) => running.close(),
  );
  return { identityProvider, databricks };
}
