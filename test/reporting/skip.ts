import type { Context, Test } from 'mocha';

import { MissingPrerequisite } from '../../demo/stage/preflight.ts';

/** Why a test was skipped. It is kept as the test's error: that is what mocha's worker processes hand over. */
class Skipped extends Error {
  override readonly name = 'Skipped';
}

/**
 * Skips a test (or, from a hook, its suite) aloud: the runner prints the name with the reason and counts it.
 * A test that is skipped in any other way counts as failed.
 */
export function skipAloud(context: Context, reason: string): never {
  const runnable = context.runnable();
  const skipped = new Skipped(reason);
  if ('type' in runnable && runnable.type === 'hook') {
    runnable.parent?.eachTest((test) => {
      test.err = skipped;
    });
  } else {
    Object.assign(runnable, { err: skipped });
  }
  return context.skip();
}

/** What `get` gives; where this machine lacks something for it, the test (or from a hook, its suite) is skipped aloud. */
export async function orSkip<T>(context: Context, get: () => Promise<T>): Promise<T> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof MissingPrerequisite) skipAloud(context, error.message);
    throw error;
  }
}

/** Why a test was skipped, if that was said. */
export function reasonFor(test: Test): string | undefined {
  return test.err?.name === 'Skipped' ? test.err.message : undefined;
}
