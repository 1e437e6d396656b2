import type { Principal } from '../account/directory.ts';
import type { Securable } from '../account/securables.ts';
import { doesNotExist } from '../http/failures.ts';
import type { World } from '../world.ts';

/** The securable, if the caller may know of it. Unity Catalog says the same of what is not there and what is hidden. */
export function visible(world: World, caller: Principal, type: string, fullName: string): Securable {
  const found = world.securables.find(type, fullName);
  if (found === undefined || !world.securables.sees(caller, found)) {
    const kind = type.toLowerCase() === 'function' ? 'Function or registered model' : type;
    throw doesNotExist(`${kind} '${fullName}' does not exist.`);
  }
  return found;
}

/** How Unity Catalog names a securable in its complaints. */
export function label(securable: Securable): string {
  const kind = securable.type === 'function' ? 'Routine or Model' : securable.type;
  return `${kind} '${securable.fullName}'`;
}
