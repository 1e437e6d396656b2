import type { Kysely } from 'kysely';

import type { Logger } from '../domain/logger.ts';
import type { AuditDebt } from './audit/debt.ts';
import type { PolicyVersion } from './policy/version.ts';
import type { Database } from './store/tables.ts';

/** What every feature of the control plane stands on. */
export interface Core {
  readonly db: Kysely<Database>;
  readonly policy: PolicyVersion;
  readonly debt: AuditDebt;
  readonly logger: Logger;
  /** After how many minutes an unanswered request lapses. */
  readonly lapseMinutes: number;
  /** Called after a commit that may have made work due, so that it need not wait for the next look. */
  readonly wake: () => void;
}
