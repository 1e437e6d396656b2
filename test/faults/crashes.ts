import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Cleanup } from '../../demo/stage/cleanup.ts';
import type { ControlPlaneClient } from '../../src/protocol/client.ts';
import type { GrantView } from '../../src/protocol/schemas.ts';
import { type RunningSandboxDatabricks, SEED } from '../../src/sandbox/databricks/index.ts';
import type { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { clientOf, insist, obtain, PATIENCE_MS, setKillableStage } from './stage.ts';

/** What is killed with kill -9. */
export type Victim = 'server' | 'database' | 'both';

/** One kill in the middle of work, and what was true when all had come to rest. */
export interface Crash {
  readonly run: number;
  readonly victim: Victim;
  /** What was under way. */
  readonly during: 'giving' | 'taking away';
  /** How long the work had been under way, in milliseconds. */
  readonly afterMs: number;
  /** From the kill until all that was asked for had come about, in milliseconds. */
  readonly recoveredMs: number;
  /**
   * For how long a group was not as its grants demand although they had come to rest, in milliseconds. Above 0 only where a
   * membership was taken away without the database by a deadline that was not the last, and put back.
   */
  readonly strayMs: number;
  /** What was answered and is gone, or is not as it has to be. */
  readonly lost: readonly string[];
  /** What was done or recorded more than once. */
  readonly doubled: readonly string[];
}

export interface CrashOptions {
  readonly runs: number;
  /** The same seed plays the same kills. */
  readonly seed: number;
  readonly victims: readonly Victim[];
  readonly onCrash: (crash: Crash) => void;
}

/** How long after the beginning of some work a kill comes at the latest, in milliseconds. */
export const LATEST_KILL_MS = 900;

/** A role of each kind, and who is in its group while it is held. */
export const WAYS = [
  { roleId: 'recsys-endpoint-query', group: SEED.jitGroups.endpointQuery.id, member: SEED.users.ana.id },
  { roleId: 'recsys-model-promote', group: SEED.jitGroups.modelPromote.id, member: SEED.users.ana.id },
  {
    roleId: 'recsys-deployer',
    group: SEED.jitGroups.deployer.id,
    member: SEED.servicePrincipals.recsysDeployer.id,
  },
] as const;

const GIVEN = ['grant.scheduled', 'grant.provisioning', 'grant.active'] as const;
const TAKEN = ['grant.revoking', 'grant.ended'] as const;

/**
 * Lets people ask for access and give it back, run after run, and kills the control plane, its database or both in the
 * middle. After each run everything is held against what was asked for: at Databricks, in the store and on the trail.
 */
export async function playCrashes(cleanup: Cleanup, options: CrashOptions): Promise<Crash[]> {
  const random = randomFrom(options.seed);
  const stage = await setStage(cleanup);
  const crashes: Crash[] = [];
  const grants: string[] = [];
  let held: string[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const victim = options.victims[Math.floor(random() * options.victims.length)] ?? 'server';
    const afterMs = Math.round(random() * LATEST_KILL_MS);
    const isGiving = run % 2 === 1;
    const killed = delay(afterMs).then(() => stage.kill(victim));
    killed.catch(() => undefined);
    if (isGiving) {
      held = await Promise.all(WAYS.map(({ roleId }) => stage.obtain(roleId, String(run))));
      grants.push(...held);
    } else {
      await Promise.all(held.map((id) => stage.giveBack(id)));
    }
    const killedAtMs = await killed;
    const lost: string[] = [];
    for (const id of held) {
      const wanted = isGiving ? 'active' : 'ended';
      const state = await stage.settled(id, wanted);
      if (state !== wanted) lost.push(`${id} is ${state}, not ${wanted}`);
    }
    const recoveredMs = Math.max(0, Math.round(performance.now() - killedAtMs));
    const restMs = performance.now();
    const strays = (): string[] =>
      WAYS.flatMap(({ group, member }) => {
        const members = stage.databricks.members(group).join();
        return members === (isGiving ? member : '') ? [] : [`the group ${group} holds [${members}]`];
      });
    while (strays().length > 0 && performance.now() - restMs < PATIENCE_MS) await delay(20);
    const strayMs = Math.round(performance.now() - restMs);
    lost.push(...strays());
    const { missing, more } = await stage.compare(grants, held, !isGiving);
    lost.push(...missing);
    const crash: Crash = {
      ...{ run, victim, afterMs, recoveredMs, strayMs, lost, doubled: more },
      during: isGiving ? 'giving' : 'taking away',
    };
    crashes.push(crash);
    options.onCrash(crash);
  }
  return crashes;
}

interface CrashStage {
  readonly databricks: RunningSandboxDatabricks;
  /** Kills, brings back, and tells when it killed, by `performance.now()`. */
  kill(victim: Victim): Promise<number>;
  obtain(roleId: string, key: string): Promise<string>;
  giveBack(id: string): Promise<void>;
  /** The state that a grant came to, the wanted one unless patience ran out. */
  settled(id: string, wanted: GrantView['state']): Promise<GrantView['state']>;
  /** Holds the store and the trail against the grants that were answered. */
  compare(
    all: readonly string[],
    latest: readonly string[],
    isOver: boolean,
  ): Promise<{ missing: string[]; more: string[] }>;
}

async function setStage(cleanup: Cleanup): Promise<CrashStage> {
  const stage = await setKillableStage(cleanup, { name: 'crash' });
  const { folder, identityProvider, databricks } = stage;
  databricks.tune({ membershipLagMs: 150, limits: { 'account-scim-write': null } });
  const controlPlane = await stage.serve({
    absenceConfirmMs: 300,
    configuration: { effects: { absenceConfirmMs: 300 }, limits: { requestsPerMinute: 1_000_000 } },
  });
  const client = (who: keyof typeof PEOPLE) => clientOf(identityProvider, controlPlane, who);
  const databaseFolder = path.join(folder, 'data/database/data');
  const state = async (id: string): Promise<GrantView['state']> =>
    (await insist(() => client('aude').call('getGrant', { params: { id } }))).state;

  return {
    databricks,
    async kill(victim) {
      const killedAtMs = performance.now();
      if (victim !== 'server') await killDatabase(databaseFolder);
      if (victim !== 'database') {
        await controlPlane.kill();
        await controlPlane.restart();
      }
      return killedAtMs;
    },
    obtain: (roleId, key) => obtain({ ana: client('ana'), lena: client('lena') }, roleId, key),
    async giveBack(id) {
      await insist(() =>
        client('ana').call('returnGrant', { params: { id }, idempotencyKey: `return-${id}` }),
      );
    },
    async settled(id, wanted) {
      const start = performance.now();
      let now = await state(id);
      while (now !== wanted && performance.now() - start < PATIENCE_MS) {
        await delay(50);
        now = await state(id);
      }
      return now;
    },
    async compare(all, latest, isOver) {
      const missing: string[] = [];
      const more: string[] = [];
      const stored = await allGrants(client('ana'));
      for (const id of all) if (!stored.includes(id)) missing.push(`the grant ${id}`);
      for (const id of stored) if (!all.includes(id)) more.push(`the grant ${id}`);
      for (const id of latest) {
        const { items } = await insist(() =>
          client('aude').call('listAudit', { query: { grantId: id, limit: 200 } }),
        );
        for (const event of isOver ? [...GIVEN, ...TAKEN] : GIVEN) {
          const count = items.filter((row) => row.event === event).length;
          if (count < 1) missing.push(`${event} of ${id}`);
          if (count > 1) more.push(`${event} of ${id}, ${String(count)} times`);
        }
      }
      return { missing, more };
    },
  };
}

async function allGrants(client: ControlPlaneClient): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await insist(() =>
      client.call('listGrants', { query: { limit: 200, ...(typeof cursor === 'string' && { cursor }) } }),
    );
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return ids;
}

/** Kills the server of the database and all that it started, as a power failure does. */
async function killDatabase(folder: string): Promise<void> {
  const [first = ''] = (await readFile(path.join(folder, 'postmaster.pid'), 'utf8')).split('\n');
  const postmaster = Number(first);
  const pids = [postmaster, ...(await childrenOf(postmaster))];
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended with its parent.
    }
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    processes.map(async (name) => {
      try {
        const stat = await readFile(`/proc/${name}/stat`, 'utf8');
        // The name of the program, in parentheses, may hold anything.
        const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(ppid) === parent ? [Number(name)] : [];
      } catch {
        return [];
      }
    }),
  );
  return found.flat();
}

/** Mulberry32: the same numbers for the same seed, so that a failure can be played again. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
