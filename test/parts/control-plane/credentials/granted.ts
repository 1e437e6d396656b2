import type { GrantView } from '../../../../src/protocol/schemas.ts';
import type { Name, World } from '../world.ts';

/** An active grant of a role; Lena approves where somebody must. */
export async function granted(world: World, who: Name, roleId: string, minutes: number): Promise<GrantView> {
  let request = await world.ask(who, roleId, minutes);
  if (request.state === 'pending') {
    request = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
  }
  if (request.grantId === null) throw new Error(`The request has no grant: ${request.state}`);
  return world.until(request.grantId, 'active');
}
