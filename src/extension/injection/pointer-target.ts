import { pointerEnvironment, type PointerEnvironment } from '../../broker/index.ts';

/** Somewhere that programs find their environment. */
export interface PointerTarget {
  /** Puts a pointer there, instead of an earlier one. */
  set(pointer: PointerEnvironment): void;
  /** Takes away what was put there, and nothing else. */
  clear(): void;
}

const NAMES: readonly (keyof PointerEnvironment)[] = [
  'DATABRICKS_HOST',
  'DATABRICKS_AUTH_TYPE',
  'DATABRICKS_METADATA_SERVICE_URL',
];

/** The environment of this process, which notebook kernels inherit. */
export function processTarget(env: Record<string, string | undefined>): PointerTarget {
  let own: PointerEnvironment | undefined;
  return {
    set(pointer) {
      own = pointer;
      for (const name of NAMES) env[name] = pointer[name];
    },
    clear() {
      for (const name of NAMES) {
        // Another extension may have written there since; that is not ours to take away.
        if (own !== undefined && env[name] === own[name]) Reflect.deleteProperty(env, name);
      }
      own = undefined;
    },
  };
}

/** The part of VS Code's collection of terminal variables that is written to. */
export interface TerminalVariables {
  persistent: boolean;
  description: string | { value: string } | undefined;
  replace(name: string, value: string): void;
  delete(name: string): void;
}

/** The variables that VS Code gives to a folder's terminals and tasks. */
export function terminalTarget(variables: TerminalVariables, description: string): PointerTarget {
  // Before anything is put there: what is persistent is given to terminals of the next start, before we run.
  variables.persistent = false;
  return {
    set(pointer) {
      variables.description = description;
      for (const name of NAMES) variables.replace(name, pointer[name]);
    },
    clear() {
      for (const name of NAMES) variables.delete(name);
      variables.description = undefined;
    },
  };
}

/** The pointer to a path of the broker on a port. */
export function pointerTo(place: {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}): PointerEnvironment {
  return pointerEnvironment({ host: place.host, url: `http://127.0.0.1:${place.port}/${place.path}` });
}
