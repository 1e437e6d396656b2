/** The environment variable that names the file into which the suite in VS Code writes its lines. */
export const LINES_FILE = 'OAM_HOST_LINES';

/** The environment variable that names a {@link HostFacts} file. */
export const FACTS_FILE = 'OAM_HOST_FACTS';

/** The extension that hands its own context to the tests: real secrets and a real collection of variables. */
export const CONTEXT_EXTENSION = 'databricks-ml-oam-test.context';

/**
 * The windows in which the suite runs: one with two trusted folders, one whose folder nobody trusts, and one whose
 * person shares their session with `oam` by the keychain.
 */
export const WINDOWS = ['trusted', 'restricted', 'keychain'] as const;

/** One of {@link WINDOWS}. */
export type WindowKind = (typeof WINDOWS)[number];

/** What the tests inside VS Code are told about what runs outside. */
export interface HostFacts {
  /** Why there are no Python kernels on this machine, if so. */
  readonly noPython: string | undefined;
  readonly controlPlane: string;
  readonly issuer: string;
  /** `POST /revoke-sessions/<sub>` ends everything that the identity provider knows of somebody. */
  readonly company: string;
  /** The hosts of the two workspaces. */
  readonly workspaces: { readonly prod: string; readonly dev: string };
}
