import { join } from 'node:path';

import type { Cleanup } from '../../demo/stage/cleanup.ts';
import type { RunningControlPlane } from '../../demo/stage/controlPlane.ts';
import { loadPolicy } from '../../src/control-plane/policy/publish.ts';
import type { PolicyVersion } from '../../src/control-plane/policy/version.ts';
import { startEmbeddedPostgres } from '../../src/control-plane/store/embedded/server.ts';
import { openStore, type Store } from '../../src/control-plane/store/store.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import type { Role, Sensitivity } from '../../src/domain/role.ts';
import type { RunningSandboxDatabricks, SandboxJitGroup } from '../../src/sandbox/databricks/index.ts';
import type { RunningIdentityProvider } from '../../src/sandbox/identity-provider/index.ts';
import { setKillableStage } from '../faults/stage.ts';
import { type GivenGrant, giveGrants } from '../parts/control-plane/many-grants.ts';

/** How long the stand-in takes for every answer, in milliseconds. */
export const ANSWER_MS = 20;

/** A PostgreSQL with fsync on, the identity provider and the stand-in, before a control plane comes. */
export interface Stage {
  readonly folder: string;
  /** The bench's own way to the database. */
  readonly store: Store;
  readonly policy: PolicyVersion;
  readonly identityProvider: RunningIdentityProvider;
  readonly databricks: RunningSandboxDatabricks;
  /** Starts `oam serve` in a process of its own on that database. */
  serve(configuration?: Readonly<Record<string, unknown>>): Promise<RunningControlPlane>;
}

/** Sets a {@link Stage} up. Databricks limits nothing there until it is told to. */
export async function setStage(cleanup: Cleanup, jitGroups: readonly SandboxJitGroup[] = []): Promise<Stage> {
  const killable = await setKillableStage(cleanup, {
    name: 'bench',
    jitGroups,
  });
  const { folder, policyFolder, identityProvider, databricks } = killable;
  const server = await cleanup.start(
    () => startEmbeddedPostgres({ dataFolder: join(folder, 'postgresql'), logger: silentLogger }),
    (running) => running.close(),
  );
  const { user, password, host } = server.connection;
  const databaseUrl = `postgres://${user}:${password}@/postgres?host=${encodeURIComponent(host)}`;
  const store = await cleanup.start(
    () => openStore({ dataFolder: folder, databaseUrl, logger: silentLogger }),
    (opened) => opened.close(),
  );
  databricks.tune({
    answerDelayMs: ANSWER_MS,
    limits: { 'account-scim-write': null, 'account-scim-read': null, 'workspace-scim-write': null },
  });
  const { prod, dev } = databricks.workspaces;
  return {
    folder,
    store,
    policy: await loadPolicy(policyFolder, { OAM_WORKSPACE_PROD: prod.host, OAM_WORKSPACE_DEV: dev.host }),
    identityProvider,
    databricks,
    serve: (configuration = {}) =>
      killable.serve({
        configuration: {
          databaseUrl,
          limits: { requestsPerMinute: 1_000_000, streams: 100 },
          ...configuration,
        },
      }),
  };
}

/** A group of many, all of whom hold its role. */
export interface CrowdedGroup extends SandboxJitGroup {
  readonly sensitivity: Sensitivity;
}

const RISKS: readonly Sensitivity[] = ['low', 'medium', 'high'];

/** So many groups of so many, of every sensitivity in turn. */
export function crowdedGroups(count: number, membersEach: number, firstId = 20_000): CrowdedGroup[] {
  return Array.from({ length: count }, (_, group) => ({
    id: String(firstId + group),
    name: `oam-jit-bench-${String(firstId + group)}`,
    memberIds: Array.from({ length: membersEach }, (_, member) =>
      String(firstId * 1_000 + group * membersEach + member),
    ),
    sensitivity: RISKS[group % RISKS.length] ?? 'low',
  }));
}

/** How many grants are given in one transaction. */
const GIVEN_AT_ONCE = 5_000;

/** Gives everybody in the groups an active grant that ends as told. */
export async function giveAll(
  { store, policy, databricks }: Stage,
  groups: readonly CrowdedGroup[],
  endsAtMs: (index: number) => number,
): Promise<void> {
  const [template] = policy.catalogue.roles;
  if (template === undefined) throw new TypeError('The catalogue has no role.');
  const host = databricks.workspaces.prod.host;
  let index = 0;
  const grants = groups.flatMap(({ id, name, memberIds, sensitivity }): GivenGrant[] => {
    const role: Role = { ...template, id: `bench-${id}`, sensitivity, group: { id, name } };
    return memberIds.map((memberId) => ({ role, host, memberId, endsAtMs: endsAtMs(index++) }));
  });
  for (let start = 0; start < grants.length; start += GIVEN_AT_ONCE) {
    await giveGrants(store.db, grants.slice(start, start + GIVEN_AT_ONCE));
  }
}
