import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { createAuditDebt } from '../../../src/control-plane/audit/debt.ts';
import { createSharedWork } from '../../../src/control-plane/callbacks/shared-work.ts';
import type { Core } from '../../../src/control-plane/core.ts';
import { returnGrant } from '../../../src/control-plane/grants/end.ts';
import { closeOverdue } from '../../../src/control-plane/grants/overdue.ts';
import type { Intent } from '../../../src/control-plane/http/idempotency.ts';
import type { Principal } from '../../../src/domain/principal.ts';
import { HOUR_MS } from '../../../src/domain/time.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import type { Figure, Reading } from '../figure.ts';
import { crowdedGroups, giveAll, setStage, type Stage } from '../stage.ts';

const OVERDUE = 20_000;
const RETURNED = 3_000;
const COMMITS = 10_000;
const AT_ONCE = 16;

/** Changes of state with their audit row, event and effect, against what the store commits at most. */
export const transitions: Figure = {
  name: 'transitions',
  what: `audited changes of state a second, beside bare commits of one row by ${String(AT_ONCE)} connections on the same server`,
  async measure(cleanup) {
    const stage = await setStage(cleanup);
    const core: Core = {
      ...{ db: stage.store.db, policy: stage.policy, logger: silentLogger, lapseMinutes: 60 },
      directory: undefined,
      debt: createAuditDebt(stage.folder, silentLogger),
      callbacks: { trustMs: 0, askedAbout: () => [], ask: () => Promise.resolve([]) },
      verifications: createSharedWork(),
      wake: () => undefined,
    };
    await sql`create table public.bench (id bigint generated always as identity, text text)`.execute(core.db);
    const before = await bareCommits(stage);
    const overdue = await expiries(stage, core);
    const single = await returns(stage, core);
    const after = await bareCommits(stage);
    const peer = { what: 'bare commits', value: (before + after) / 2 };
    const reading = (name: string, value: number, bar: Reading['bar'], note: string): Reading => ({
      ...{ name, value, unit: '/s', peer, bar, note },
    });
    return [
      reading(
        'transitions_expiry',
        overdue,
        { of: 'ratio', is: 'at least', limit: 0.5 },
        'grants whose time has come, up to a hundred in one transaction',
      ),
      reading(
        'transitions_single',
        single,
        null,
        'each in a transaction of its own, with its idempotency key',
      ),
    ];
  },
};

async function bareCommits({ store }: Stage): Promise<number> {
  let left = COMMITS;
  return ratePerSecond(COMMITS, async () => {
    while (left-- > 0)
      await sql`insert into public.bench (text) values (${'x'.repeat(200)})`.execute(store.db);
  });
}

async function expiries(stage: Stage, core: Core): Promise<number> {
  await giveAll(stage, crowdedGroups(100, OVERDUE / 100, 20_000), () => Date.now() - 1_000);
  const startedMs = performance.now();
  let closed = 0;
  while (closed < OVERDUE) closed += await closeOverdue(core, () => undefined);
  return closed / ((performance.now() - startedMs) / 1_000);
}

async function returns(stage: Stage, core: Core): Promise<number> {
  await giveAll(stage, crowdedGroups(100, RETURNED / 100, 60_000), () => Date.now() + HOUR_MS);
  const grants = await core.db
    .selectFrom('access_grant')
    .select(['id', 'iss', 'sub'])
    .where('state', '=', 'active')
    .execute();
  return ratePerSecond(grants.length, async () => {
    for (let grant = grants.pop(); grant !== undefined; grant = grants.pop()) {
      const caller: Principal = {
        ...{ iss: grant.iss, sub: grant.sub, userName: grant.sub, displayName: grant.sub },
        ...{ groups: { kind: 'listed', names: [] }, duty: undefined, seenAtMs: Date.now() },
      };
      const intent: Intent = { caller, operation: 'returnGrant', key: randomUUID(), bodyHash: '' };
      await returnGrant(core, intent, { grantId: grant.id, version: undefined });
    }
  });
}

async function ratePerSecond(count: number, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return count / ((performance.now() - startedMs) / 1_000);
}
