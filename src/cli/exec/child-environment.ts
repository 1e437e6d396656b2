import type { PointerEnvironment } from '../../broker/index.ts';

/** Where `oam exec` finds the code with which it takes a grant over. Good once; no program needs to see it. */
export const HAND_OVER = 'OAM_HAND_OVER';

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
  const kept: (readonly [string, string])[] = [];
  const leftOut: string[] = [];
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined || name === HAND_OVER) continue;
    if (/^DATABRICKS_/i.test(name)) leftOut.push(name);
    else kept.push([name, value]);
  }
  // From entries, because a plain assignment would lose a variable that is called __proto__.
  return { env: { ...Object.fromEntries(kept), ...pointer }, leftOut: leftOut.sort() };
}
