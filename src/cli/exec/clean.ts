import { UsageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { runChild } from './child.ts';
import { cleanEnvironment } from './child-environment.ts';
import type { ExecOptions } from './exec.ts';

/**
 * Runs a program outside of OAM: without a pointer, so that profiles, explicit tokens, service principals and hosts of
 * the account work as if OAM were not there. Nobody signs in, and no control plane is asked.
 *
 * @returns the program's exit code.
 * @throws {UsageError} where access is asked for besides.
 * @throws {NotStartedError}
 */
export async function execClean(options: ExecOptions, invocation: Invocation): Promise<number> {
  const { roleId, workspace, minutes, purpose, ticket } = options;
  if ((roleId ?? workspace ?? minutes ?? purpose ?? ticket) !== undefined || options.fileOidc) {
    throw new UsageError(
      'With --clean the program gets no access from OAM. Leave --role, --workspace, --for, --purpose, --ticket and --file-oidc out, or leave --clean out.',
    );
  }
  const { env, leftOut } = cleanEnvironment(invocation.env);
  if (leftOut.length > 0) invocation.note(`Left out of the program's environment: ${leftOut.join(', ')}`);
  const { signals, atTerminal, outlivesTerminal } = invocation;
  return runChild({ ...options, env, signals, atTerminal, outlivesTerminal });
}
