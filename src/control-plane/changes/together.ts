import { OamError } from '../../domain/errors.ts';

/**
 * Does a piece of work for many things at once; where the store refuses it, for each of them alone, so that one of them
 * cannot hold up the others.
 *
 * @param onRefused told of each thing that is refused alone too; it stays as it was.
 * @throws whatever is not about the things themselves: a store that is away takes none of them.
 */
export async function together<T>(
  things: readonly T[],
  work: (things: readonly T[]) => Promise<void>,
  onRefused: (thing: T, error: Error) => void,
): Promise<void> {
  try {
    await work(things);
    return;
  } catch (error) {
    if (!isAboutTheThings(error)) throw error;
  }
  for (const thing of things) {
    try {
      await work([thing]);
    } catch (error) {
      if (!isAboutTheThings(error)) throw error;
      onRefused(thing, error);
    }
  }
}

/** SQLSTATE 22, 23 and P0001: the store is there, and takes no such value, or a trigger of it says no. */
const REFUSALS = /^(?:22|23|P0001)/;

/** Also what the rules throw: a grant that they cannot carry on says nothing of the next one. */
function isAboutTheThings(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error instanceof OamError) return true;
  const isStores = 'severity' in error && 'code' in error;
  return isStores && REFUSALS.test(String(error.code));
}
