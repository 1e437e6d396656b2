import { withCancellableProgress } from '../commands/progress.ts';
import type { AccessModel } from './access-model.ts';

/**
 * Changes access under a notification that can be cancelled, and reads everything again: also where it failed, because
 * a refusal says that what is shown is old, and what was cancelled may have arrived.
 */
export async function changeAccess<T>(
  model: Pick<AccessModel, 'reload'>,
  title: string,
  change: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withCancellableProgress(title, change);
  } finally {
    await model.reload();
  }
}
