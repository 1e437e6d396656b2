import { roleTokenSource } from '../../broker/index.ts';
import { OamError } from '../../domain/errors.ts';
import { controlPlaneUrl } from '../connection/address.ts';
import { obtainRole } from '../exec/access.ts';
import { grantUses } from '../exec/grant-uses.ts';
import type { ExecOptions } from '../exec/exec.ts';
import { worksAlone } from '../exec/lasting.ts';
import { release } from '../exec/release.ts';
import { runProgram } from '../exec/running.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';
import { OWN_VARIABLES, type WorkloadIdentity } from './identity.ts';
import { keepAlive, windowEndMs } from './proof-of-life.ts';
import { openWorkloadSession } from './session.ts';

/**
 * `oam exec` of a job in a pipeline: it asks with the identity that the place gives it. Nobody signs in, and nothing is
 * stored. While the program runs the control plane is shown that its run lives.
 *
 * @returns the program's exit code.
 */
export async function execAsWorkload(
  options: ExecOptions,
  flags: CommonFlags,
  identity: WorkloadIdentity,
  invocation: Invocation,
): Promise<number> {
  const { roleId } = options;
  if (roleId === undefined || options.workspace !== undefined || options.fileOidc) {
    throw new UsageError(
      'A job of a pipeline has no access of its own and no sign-in of a person: name a role with --role, and leave --workspace and --file-oidc out.',
    );
  }
  const session = await openWorkloadSession(controlPlaneUrl(flags, invocation.env), identity, invocation);
  const { client } = session;
  invocation.note(`Asking as the job that runs here (${oneLine(identity.where)}).`);
  const access = await obtainRole(
    { ...options, roleId },
    {
      ...{ ...invocation, client },
      use: grantUses(invocation.env),
      prepare: ({ credential }) => {
        if (worksAlone(credential)) return Promise.resolve();
        throw new OamError(
          'role_needs_person',
          'This role works by the sign-in of a person, and a job is none. Ask for a role that has a service principal.',
        );
      },
    },
  );
  const alive = keepAlive({
    ...{ grantId: access.grant.id, session, clock: invocation.clock },
    onTrouble: ({ message }) => {
      invocation.note(`oam: The control plane could not be shown that the job lives: ${message}`);
    },
  });
  try {
    const { grant } = access;
    const { redactor } = invocation;
    const place = {
      host: grant.role.workspace.host,
      source: roleTokenSource({ grantId: grant.id, client, redactor }),
      held: { grant, client, endOf: windowEndMs },
    };
    return await runProgram(place, options, withoutIdentity(invocation));
  } finally {
    alive[Symbol.dispose]();
    await release(() => access.release(), invocation);
  }
}

/** The program has its access; who the job is does not go with it. */
function withoutIdentity(invocation: Invocation): Invocation {
  const kept = Object.entries(invocation.env).filter(([name]) => !OWN_VARIABLES.includes(name));
  return { ...invocation, env: Object.fromEntries(kept) };
}
