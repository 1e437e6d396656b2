import type { PointerEnvironment } from '../../broker/index.ts';

/** The environment of a program, and what was left out of it. */
export interface ChildEnvironment {
  readonly env: Record<string, string>;
  /** Names only, sorted. */
  readonly leftOut: readonly string[];
}

/**
 * The environment that a program inherits, with the pointer in place of every `DATABRICKS_…` variable: a token, a
 * profile or another pointer beside ours would win over it, or make the SDKs refuse both.
 */
export function childEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  pointer: PointerEnvironment,
): ChildEnvironment {
  const env: Record<string, string> = {};
  const leftOut: string[] = [];
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined) continue;
    if (/^DATABRICKS_/i.test(name)) leftOut.push(name);
    else env[name] = value;
  }
  return { env: { ...env, ...pointer }, leftOut: leftOut.sort() };
}
