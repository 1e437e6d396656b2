import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { ROOT, temporaryFolder } from '../../demo/stage/folders.ts';

/** A copy of parts of the checkout as it is after `npm ci`: nothing else has been installed in it. */
export interface FreshCheckout {
  readonly path: string;
  remove(): Promise<void>;
}

/** @param parts Files and folders to copy, by their paths in the checkout. */
export async function freshCheckout(...parts: readonly string[]): Promise<FreshCheckout> {
  const checkout = await temporaryFolder('checkout');
  for (const part of parts) await cp(join(ROOT, part), join(checkout.path, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(checkout.path, 'node_modules'));
  return checkout;
}
