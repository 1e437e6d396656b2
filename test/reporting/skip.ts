import type { Context, Runnable } from 'mocha';

const reasons = new WeakMap<object, string>();

/**
 * Skips a test (or, from a hook, its suite) aloud: the runner prints the name with the reason and counts it.
 * A test that is skipped in any other way counts as failed.
 */
export function skipAloud(context: Context, reason: string): never {
  const runnable = context.runnable();
  reasons.set(runnable, reason);
  if ('type' in runnable && runnable.type === 'hook' && runnable.parent !== undefined)
    reasons.set(runnable.parent, reason);
  return context.skip();
}

/** Why a test was skipped, if that was said. */
export function reasonFor(test: Runnable): string | undefined {
  const own = reasons.get(test);
  if (own !== undefined) return own;
  for (let suite = test.parent; suite !== undefined; suite = suite.parent) {
    const reason = reasons.get(suite);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
