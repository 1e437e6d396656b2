import type { PointerEnvironment } from '../../broker/index.ts';

/** Where `oam exec` finds the code with which it takes a grant over. Good once; no program needs to see it. */
export const HAND_OVER = 'OAM_HAND_OVER';

/** The environment of a program, and what was left out of it. */
export interface ChildEnvironment {
  readonly env: Record<string, string>;
  /** Names only, sorted. */
  readonly leftOut: readonly string[];
}

/** The three variables that make a program read a sign-in from a file and exchange it by itself. */
export interface TokenFileEnvironment {
  readonly DATABRICKS_HOST: string;
  readonly DATABRICKS_AUTH_TYPE: 'file-oidc';
  readonly DATABRICKS_OIDC_TOKEN_FILEPATH: string;
}

type Inherited = Readonly<Record<string, string | undefined>>;

/**
 * The environment that a program inherits, with the pointer in place of every `DATABRICKS_…` variable: a token, a
 * profile or another pointer beside ours would win over it, or make the SDKs refuse both.
 */
export function childEnvironment(
  inherited: Inherited,
  pointer: PointerEnvironment | TokenFileEnvironment,
): ChildEnvironment {
  const { env, leftOut } = without(/^DATABRICKS_/i, inherited);
  return { env: { ...env, ...pointer }, leftOut };
}

/**
 * The environment that a program inherits, with nothing in it that says where Databricks is and as whom: neither OAM's
 * pointers, nor those of a terminal that is opened as a role, nor what somebody set besides.
 */
export function cleanEnvironment(inherited: Inherited): ChildEnvironment {
  return without(/^(?:DATABRICKS_|MLFLOW_TRACKING_|OAM_ROLE_)/i, inherited);
}

function without(names: RegExp, inherited: Inherited): ChildEnvironment {
  const kept: (readonly [string, string])[] = [];
  const leftOut: string[] = [];
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined || name === HAND_OVER) continue;
    if (names.test(name)) leftOut.push(name);
    else kept.push([name, value]);
  }
  // From entries, because a plain assignment would lose a variable that is called __proto__.
  return { env: Object.fromEntries(kept), leftOut: leftOut.sort() };
}
