import { OamError } from '../../domain/errors.ts';
import { hasOwnPath } from '../../domain/role.ts';
import { allPages } from '../../protocol/all-pages.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView } from '../../protocol/schemas.ts';

/** What the person holds, or will. */
export function openGrants(
  client: ControlPlaneClient,
  signal: AbortSignal | undefined,
): Promise<GrantView[]> {
  return allPages((page) =>
    client.call('listGrants', {
      query: { ...page, scope: 'mine', open: 'true' },
      ...(signal && { signal }),
    }),
  );
}

/**
 * The person's grant of the role, where it is there: nothing is asked for here.
 *
 * @throws {OamError} `role_not_held`; the control plane's problems.
 */
export async function heldRole(
  roleId: string,
  host: string,
  client: ControlPlaneClient,
  signal: AbortSignal | undefined,
): Promise<string> {
  const grants = await openGrants(client, signal);
  const grant = grants.find(
    ({ role, state }) => state === 'active' && role.id === roleId && role.workspace.host === host,
  );
  if (grant === undefined || !hasOwnPath(grant.role.credential)) {
    throw new OamError(
      'role_not_held',
      'You do not hold the role of this kernel now. Ask for it with `oam request`, then run the cell again.',
      { detail: roleId },
    );
  }
  return grant.id;
}
