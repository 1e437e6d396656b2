import { pointerEnvironment, type PointerEnvironment } from '../../broker/index.ts';

/** A pointer, and what goes with it. */
export type FolderEnvironment = PointerEnvironment & Readonly<Record<string, string>>;

const POINTER_NAMES: ReadonlySet<string> = new Set<keyof PointerEnvironment>([
  'DATABRICKS_HOST',
  'DATABRICKS_AUTH_TYPE',
  'DATABRICKS_METADATA_SERVICE_URL',
]);

/** True for the variables that are the pointer itself. */
export function isOfPointer(name: string): boolean {
  return POINTER_NAMES.has(name);
}

/** Somewhere that programs find their environment. */
export interface PointerTarget {
  /** Puts a pointer there, with what goes with it, instead of an earlier one. */
  set(environment: FolderEnvironment): void;
  /** Takes away what was put there, and nothing else. */
  clear(): void;
}

/** The environment of this process, which notebook kernels inherit. */
export function processTarget(env: Record<string, string | undefined>): PointerTarget {
  let own: Readonly<Record<string, string>> = {};
  const takeAway = (next: Readonly<Record<string, string>>): void => {
    for (const [name, value] of Object.entries(own)) {
      // Another extension may have written there since; that is not ours to take away.
      if (!(name in next) && env[name] === value) Reflect.deleteProperty(env, name);
    }
    own = next;
  };
  return {
    set(environment) {
      takeAway(environment);
      Object.assign(env, environment);
    },
    clear: () => takeAway({}),
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
  let own: readonly string[] = [];
  const takeAway = (next: readonly string[]): void => {
    for (const name of own) if (!next.includes(name)) variables.delete(name);
    own = next;
  };
  return {
    set(environment) {
      variables.description = description;
      takeAway(Object.keys(environment));
      for (const [name, value] of Object.entries(environment)) variables.replace(name, value);
    },
    clear() {
      takeAway([]);
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
