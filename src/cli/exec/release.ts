import type { Invocation } from '../invocation.ts';

/** Gives back to the end, whoever presses Ctrl-C meanwhile: it takes seconds, and the access would stay otherwise. */
export async function release(
  work: () => Promise<void>,
  invocation: Pick<Invocation, 'signals' | 'note'>,
): Promise<void> {
  const taken = invocation.signals.take(() => {
    invocation.note('Returning the access; one moment.');
  });
  try {
    await work();
  } finally {
    taken[Symbol.dispose]();
  }
}
