import { OamError } from '../domain/errors.ts';
import { samePrincipal } from '../domain/principal.ts';
import type { ControlPlaneClient } from './client.ts';
import type { GrantView } from './schemas.ts';

/**
 * The grant that a grant lives on in after it was extended, however often; the grant itself where nothing follows it.
 *
 * @throws {OamError} `wrong_grant` where what follows is another role's or another person's: whoever works under a
 * grant never becomes somebody else; the control plane's problems.
 */
export async function latestGrant(
  client: ControlPlaneClient,
  grantId: string,
  signal?: AbortSignal,
): Promise<GrantView> {
  const read = (id: string): Promise<GrantView> =>
    client.call('getGrant', { params: { id }, ...(signal && { signal }) });
  let latest = await read(grantId);
  while (latest.successor !== null) {
    const next = await read(latest.successor);
    if (!continues(next, latest)) {
      throw new OamError(
        'wrong_grant',
        'The control plane named a grant as an extension that is none, so it was not used. Report this.',
        { detail: next.id },
      );
    }
    latest = next;
  }
  return latest;
}

function continues(next: GrantView, earlier: GrantView): boolean {
  return (
    next.extends === earlier.id &&
    next.role.id === earlier.role.id &&
    next.role.workspace.host === earlier.role.workspace.host &&
    samePrincipal(next.principal, earlier.principal)
  );
}
