/** The environment variable that names the file into which the suite in VS Code writes its lines. */
export const LINES_FILE = 'OAM_HOST_LINES';

/** The environment variable that names a {@link HostFacts} file. */
export const FACTS_FILE = 'OAM_HOST_FACTS';

/** What the tests inside VS Code are told about what runs outside. */
export interface HostFacts {
  /** Why there are no Python kernels on this machine, if so. */
  readonly noPython: string | undefined;
}
