import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Cleanup } from '../../demo/stage/cleanup.ts';
import { startCompany } from '../../demo/stage/company.ts';
import {
  type ControlPlaneOptions,
  type RunningControlPlane,
  startControlPlane,
} from '../../demo/stage/controlPlane.ts';
import { ROOT, temporaryFolder } from '../../demo/stage/folders.ts';
import { hasCode } from '../../src/domain/errors.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../src/protocol/client.ts';
import type { RequestView } from '../../src/protocol/schemas.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  type SandboxJitGroup,
  SEED,
} from '../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  type RunningIdentityProvider,
} from '../../src/sandbox/identity-provider/index.ts';

/** What a control plane that can be killed stands in: a folder, who says who people are, and Databricks. */
export interface KillableStage {
  readonly folder: string;
  readonly policyFolder: string;
  readonly identityProvider: RunningIdentityProvider;
  readonly databricks: RunningSandboxDatabricks;
  /** Starts `oam serve` in a process of its own; it keeps what it has in the folder. */
  serve(
    options?: Pick<ControlPlaneOptions, 'absenceConfirmMs' | 'configuration' | 'notices'>,
  ): Promise<RunningControlPlane>;
}

/** Sets a {@link KillableStage} up; what is started there ends with the cleanup. */
export async function setKillableStage(
  cleanup: Cleanup,
  o: { readonly name: string; readonly jitGroups?: readonly SandboxJitGroup[] },
): Promise<KillableStage> {
  const folder = await cleanup.start(
    () => temporaryFolder(o.name),
    (made) => made.remove(),
  );
  const { identityProvider, databricks } = await startCompany(cleanup, {
    databricks: { ...(o.jitGroups && { jitGroups: o.jitGroups }) },
  });
  const policyFolder = join(ROOT, 'demo/policy');
  const { prod, dev } = databricks.workspaces;
  return {
    ...{ folder: folder.path, policyFolder, identityProvider, databricks },
    serve: (options = {}) =>
      cleanup.start(
        (signal) =>
          startControlPlane({
            ...options,
            ...{ folder: folder.path, policyFolder, signal },
            identity: {
              ...{ issuer: identityProvider.issuer, clientId: EDITOR_CLIENT_ID },
              ...{ audience: OAM_AUDIENCE, scopes: [...EDITOR_SCOPES] },
            },
            databricks: { accountId: SEED.accountId, ...databricks.coreCredentials },
            workspaces: { prod: prod.host, dev: dev.host },
          }),
        (running) => running.close(),
      ),
  };
}

/** A client of one of the people, with a fresh token for each call. */
export function clientOf(
  identityProvider: RunningIdentityProvider,
  controlPlane: RunningControlPlane,
  who: keyof typeof PEOPLE,
): ControlPlaneClient {
  const { sub, userName, displayName, groups, duty } = PEOPLE[who];
  return createControlPlaneClient({
    baseUrl: controlPlane.url,
    accessToken: () =>
      identityProvider.mint({ sub, preferred_username: userName, name: displayName, groups, duty }),
    transport: axiosTransport(),
  });
}

/** What a client is told when the other side dies under its call. */
const NO_ANSWER = ['unreachable', 'timed_out', 'store_unavailable', 'internal'] as const;

/** For how long somebody insists, in milliseconds. */
export const PATIENCE_MS = 60_000;

/** As a client does that got no answer: the same wish with the same key, until there is one. */
export async function insist<T>(call: () => Promise<T>): Promise<T> {
  const start = performance.now();
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isNoAnswer = NO_ANSWER.some((code) => hasCode(error, code));
      if (!isNoAnswer || performance.now() - start > PATIENCE_MS) throw error;
      await delay(100);
    }
  }
}

/** Asks for a role and has it approved where that is needed, however often nobody answers. */
export async function obtain(
  { ana, lena }: Record<'ana' | 'lena', ControlPlaneClient>,
  roleId: string,
  key: string,
): Promise<string> {
  const asked = await insist<RequestView>(() =>
    ana.call('createRequest', {
      body: { roleId, purpose: 'Survive', minutes: 60 },
      idempotencyKey: `ask-${roleId}-${key}`,
    }),
  );
  if (asked.grantId !== null) return asked.grantId;
  const approved = await insist(() =>
    lena.call('approveRequest', {
      params: { id: asked.id },
      version: asked.version,
      body: {},
      idempotencyKey: `approve-${asked.id}`,
    }),
  );
  if (approved.grantId === null) throw new Error(`The request is ${approved.state}.`);
  return approved.grantId;
}
