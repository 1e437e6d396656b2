/**
 * The variables with which a person or a project says by itself where Databricks is and who signs in. Where one is
 * set, it wins: OAM leaves everything as it is and says so.
 */
export const SIGN_IN_VARIABLE =
  /^(?:DATABRICKS_(?:HOST|TOKEN|CONFIG_PROFILE|CONFIG_FILE|AUTH_TYPE|METADATA_SERVICE_URL|CLIENT_ID|CLIENT_SECRET|ACCOUNT_ID|USERNAME|PASSWORD|OIDC_TOKEN|OIDC_TOKEN_ENV|OIDC_TOKEN_FILEPATH|OIDC_TOKEN_FILE|TOKEN_AUDIENCE|AZURE_RESOURCE_ID)|SPARK_REMOTE)$/;

/** Where a variable was found. */
export type SetWhere = 'environment' | 'dotenv' | 'terminalSettings' | 'debugConfiguration' | 'debugEnvFile';

/** A variable that was set by somebody else. */
export interface AlreadySet {
  readonly name: string;
  readonly where: SetWhere;
}

/** What is looked through. */
export interface PlacesToLook {
  /** The environment of the extension host, without what OAM put there itself. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The text of the folder's `.env`, where there is one. */
  readonly dotenv: string | undefined;
  /** The value of `terminal.integrated.env.<platform>`. */
  readonly terminalSettings: Readonly<Record<string, unknown>>;
}

/**
 * Finds what is set already. Values are not looked at: they may be secrets.
 *
 * @param isLookedFor What is of interest by its name; unless told, what says where Databricks is or who signs in.
 */
export function findAlreadySet(
  places: PlacesToLook,
  isLookedFor: (name: string) => boolean = isSignInVariable,
): AlreadySet[] {
  const found: AlreadySet[] = [];
  const look = (names: readonly string[], where: SetWhere): void => {
    for (const name of names) if (isLookedFor(name)) found.push({ name, where });
  };
  look(
    Object.keys(places.environment).filter((name) => places.environment[name] !== undefined),
    'environment',
  );
  look(dotenvNames(places.dotenv ?? ''), 'dotenv');
  look(
    // Null in this setting takes a variable away, which is no wish to sign in otherwise.
    Object.keys(places.terminalSettings).filter((name) => places.terminalSettings[name] !== null),
    'terminalSettings',
  );
  return found;
}

/** True for a variable that says where Databricks is, or who signs in. */
export function isSignInVariable(name: string): boolean {
  return SIGN_IN_VARIABLE.test(name);
}

/** The names of the variables that a `.env` file sets. */
export function dotenvNames(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}
