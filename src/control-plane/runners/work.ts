import { SECOND_MS } from '../../domain/time.ts';
import type { LiveCore } from '../core.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import { endIdleRunners } from './tokens.ts';

/** What has ended gets nothing already; that its runners have is for people to read. */
const EVERY_MS = 10 * SECOND_MS;

/** Begins to end the runners whose grants have ended, and those that were never started. */
export function startRunnerWork(core: LiveCore): Loop {
  return startLoop({
    name: 'runners',
    pollMs: EVERY_MS,
    logger: core.logger,
    work: () => endIdleRunners(core).then(() => false),
  });
}
