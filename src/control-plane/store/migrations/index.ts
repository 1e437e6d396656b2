import type { Migration } from '../migrate.ts';
import { clock } from './0001-clock.ts';
import { access } from './0002-access.ts';
import { signingKey } from './0003-signing-key.ts';
import { outliving } from './0004-outliving.ts';
import { directory } from './0005-directory.ts';
import { keyRotation } from './0006-key-rotation.ts';
import { extensions } from './0007-extensions.ts';
import { auditTrail } from './0008-audit-trail.ts';
import { workloads } from './0009-workloads.ts';
import { leases } from './0010-leases.ts';
import { reconciliation } from './0011-reconciliation.ts';
import { scheduledStart } from './0012-scheduled-start.ts';
import { breakGlass } from './0013-break-glass.ts';
import { urgency } from './0014-urgency.ts';
import { approvers } from './0015-approvers.ts';
import { notices } from './0016-notices.ts';
import { personalTokens } from './0017-personal-tokens.ts';
import { delegations } from './0018-delegations.ts';
import { evidence } from './0019-evidence.ts';
import { sessionLimits } from './0020-session-limits.ts';
import { runners } from './0021-runners.ts';
import { goodLeases } from './0022-good-leases.ts';
import { spentTokens } from './0023-spent-tokens.ts';
import { recentlyAbsent } from './0024-recently-absent.ts';
import { orderedLists } from './0025-ordered-lists.ts';
import { nextTokens } from './0026-next-tokens.ts';
import { leasesOfSessions } from './0027-leases-of-sessions.ts';
import { auditOfActor } from './0028-audit-of-actor.ts';
import { endedSignIns } from './0029-ended-sign-ins.ts';
import { auditOfRole } from './0030-audit-of-role.ts';

/** Every change of the schema, oldest first. A change that has been applied anywhere is never edited. */
export const migrations: readonly Migration[] = [
  clock,
  access,
  signingKey,
  outliving,
  directory,
  keyRotation,
  extensions,
  auditTrail,
  workloads,
  leases,
  reconciliation,
  scheduledStart,
  breakGlass,
  urgency,
  approvers,
  notices,
  personalTokens,
  delegations,
  evidence,
  sessionLimits,
  runners,
  goodLeases,
  spentTokens,
  recentlyAbsent,
  orderedLists,
  nextTokens,
  leasesOfSessions,
  auditOfActor,
  endedSignIns,
  auditOfRole,
];
