import type { Kysely } from 'kysely';

import type { Logger } from '../domain/logger.ts';
import type { AuditDebt } from './audit/debt.ts';
import type { DirectoryLink } from './directory/link.ts';
import type { PurposeCallbacks } from './callbacks/callbacks.ts';
import type { SharedWork } from './callbacks/shared-work.ts';
import type { PolicyVersion } from './policy/version.ts';
import type { Verification } from './callbacks/verification.ts';
import type { Database } from './store/tables.ts';

/** What every feature of the control plane stands on in one piece of work: a call, a change. */
export interface Core {
  readonly db: Kysely<Database>;
  /** The version that decided when the work began. It decides all of it: never two versions in one decision. */
  readonly policy: PolicyVersion;
  readonly debt: AuditDebt;
  readonly callbacks: PurposeCallbacks;
  /** What is being asked of them now. */
  readonly verifications: SharedWork<Verification>;
  readonly logger: Logger;
  /** The company's directory, which vouches for people who are not here; undefined where there is none. */
  readonly directory: DirectoryLink | undefined;
  /** After how many minutes an unanswered request lapses. */
  readonly lapseMinutes: number;
  /** Called after a commit that may have made work due, so that it need not wait for the next look. */
  readonly wake: () => void;
}

/** What outlasts a version of the policy: loops, streams, and the door where calls come in. */
export interface LiveCore extends Omit<Core, 'policy'> {
  /** The same with the version that decides now. Take it anew for each piece of work, and once. */
  readonly atPresent: () => Core;
}
