import type { Kysely } from 'kysely';

import type { Logger } from '../../domain/logger.ts';
import { HOUR_MS } from '../../domain/time.ts';
import { forgetOldReadings } from '../audit/reading.ts';
import { forgetExpiredSessions } from '../audit/sessions.ts';
import { forgetOldSessions } from '../authentication/session-limits.ts';
import { forgetEndedSignIns } from '../credentials/ended-sign-ins.ts';
import { forgetOldAnswers } from '../http/idempotency.ts';
import { forgetOldNotices } from '../notices/deliver.ts';
import { forgetOldLinks } from '../notices/links.ts';
import type { Database } from '../store/tables.ts';
import { forgetExpiredTokens } from '../workloads/sessions.ts';
import { type Loop, startLoop } from './loop.ts';

/** Begins to forget, every hour, what has done its service. */
export function startHousekeeping(db: Kysely<Database>, logger: Logger): Loop {
  return startLoop({
    name: 'housekeeping',
    pollMs: HOUR_MS,
    logger,
    work: async () => {
      await forgetOldAnswers(db);
      await forgetExpiredSessions(db);
      await forgetOldSessions(db);
      await forgetExpiredTokens(db);
      await forgetEndedSignIns(db);
      await forgetOldReadings(db);
      await forgetOldLinks(db);
      await forgetOldNotices(db);
      return false;
    },
  });
}
