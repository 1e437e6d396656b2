import { type AlreadySet, dotenvNames, isSignInVariable } from '../injection/already-set.ts';
import type { FolderEnvironment } from '../injection/pointer-target.ts';

/** What a debug session's program is given besides what it inherits. */
export interface DebugEnvironment {
  /** The configuration's `env`. */
  readonly env: Readonly<Record<string, unknown>>;
  /** The text of the file that the configuration names as `envFile`, where there is one. */
  readonly envFile: string | undefined;
}

/** Whether a session gets a pointer. */
export type DebugPointer =
  | { readonly kind: 'pointed'; readonly env: Readonly<Record<string, unknown>> }
  /** The configuration says by itself who signs in, and wins. */
  | { readonly kind: 'alreadySet'; readonly found: readonly AlreadySet[] };

/**
 * Puts the pointer of a folder into a debug session's environment, unless the person's configuration says otherwise.
 * Of what goes with the pointer, what the configuration sets stays as well.
 */
export function pointDebugSession(
  { env, envFile }: DebugEnvironment,
  environment: FolderEnvironment,
): DebugPointer {
  const inFile = dotenvNames(envFile ?? '');
  const found: AlreadySet[] = [
    ...Object.keys(env)
      // Null takes a variable away, which is no wish to sign in otherwise.
      .filter((name) => isSignInVariable(name) && env[name] !== null)
      .map((name) => ({ name, where: 'debugConfiguration' as const })),
    ...inFile.filter(isSignInVariable).map((name) => ({ name, where: 'debugEnvFile' as const })),
  ];
  if (found.length > 0) return { kind: 'alreadySet', found };
  const isOwn = (name: string): boolean => !isSignInVariable(name) && (name in env || inFile.includes(name));
  const ours = Object.fromEntries(Object.entries(environment).filter(([name]) => !isOwn(name)));
  return { kind: 'pointed', env: { ...env, ...ours } };
}
