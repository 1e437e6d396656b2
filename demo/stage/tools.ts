import { installVscode, vscodeIsInstalled, type VscodeInstallation } from './codeServer.ts';
import { installPython, type PythonEnvironment } from './python.ts';
import { requireCompiler, requirePython } from './preflight.ts';

/** What the stage needs besides npm's packages of this checkout. */
export interface Tools {
  readonly installation: VscodeInstallation;
  readonly python: PythonEnvironment;
}

/**
 * Installs what is not there yet, once. Looks first whether this machine can, so that nobody waits a minute to read that
 * something is missing.
 *
 * @throws MissingPrerequisite in one sentence that says what to do.
 */
export async function installTools(log: (line: string) => void, signal?: AbortSignal): Promise<Tools> {
  // Compiling for VS Code takes Python, too.
  requirePython();
  if (!vscodeIsInstalled()) requireCompiler();
  return {
    installation: await installVscode(log, signal),
    python: await installPython(log, { signal }),
  };
}
