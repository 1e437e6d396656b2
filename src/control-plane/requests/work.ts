import type { LiveCore } from '../core.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import { lapseUnanswered } from './lapse.ts';
import { putAllOnNewGround } from './new-ground.ts';
import { resumeReturned } from './returning.ts';
import { verifyAgain } from './verify-again.ts';

/** Callbacks are asked again about what waits, where it is time, once in so many looks for due work. */
const VERIFY_AGAIN_BEATS = 60;

/** Begins what is done about requests that wait: they lapse, are judged anew, go on, and are verified again. */
export function startRequestWork({ atPresent, logger }: LiveCore, pollMs: number): Loop {
  const ending = new AbortController();
  let judgedBy: string | undefined;
  const verifications = startLoop({
    name: 'verifications',
    pollMs: pollMs * VERIFY_AGAIN_BEATS,
    logger,
    work: async () => {
      await verifyAgain(atPresent(), ending.signal);
      return false;
    },
  });
  const requests = startLoop({
    name: 'requests',
    pollMs,
    logger,
    work: async () => {
      const present = atPresent();
      const lapsed = await lapseUnanswered(present);
      if (judgedBy !== present.policy.hash) await putAllOnNewGround(present);
      judgedBy = present.policy.hash;
      await resumeReturned(present);
      return lapsed > 0;
    },
  });
  return {
    wake: () => {
      requests.wake();
    },
    async stop() {
      ending.abort();
      await Promise.all([requests.stop(), verifications.stop()]);
    },
  };
}
