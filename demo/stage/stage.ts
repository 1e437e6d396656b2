import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { RunningSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  type RunningIdentityProvider,
} from '../../src/sandbox/identity-provider/index.ts';
import { Cleanup } from './cleanup.ts';
import { startCompany } from './company.ts';
import { startControlPlane, type ControlPlaneOptions, type RunningControlPlane } from './controlPlane.ts';
import { ROOT, temporaryFolder } from './folders.ts';

export interface StageOptions {
  /** Undone, the last first, when the stage is struck; share it to add windows and browsers. */
  readonly cleanup?: Cleanup;
  readonly ports?: {
    readonly identityProvider: number;
    readonly controlPlane: number;
    readonly account: number;
    readonly prod: number;
    readonly dev: number;
  };
  /** The life of Databricks' tokens, in seconds; short where a test must see them expire. */
  readonly databricksTokenSeconds?: number;
  readonly idTokenSeconds?: number;
  readonly accessTokenSeconds?: number;
  readonly absenceConfirmMs?: number;
  /** Puts another catalogue in the place of the demo's. */
  readonly adjustCatalogue?: (text: string) => string;
}

/** Everything that OAM meets in a company: who says who people are, Databricks, and OAM's own server. */
export interface Stage {
  /** A temporary folder that goes with the stage. */
  readonly folder: string;
  readonly identityProvider: RunningIdentityProvider;
  readonly databricks: RunningSandboxDatabricks;
  readonly controlPlane: RunningControlPlane;
  /** The control plane's own copy of the demo's policy, read when it starts. */
  readonly policyFolder: string;
  /** Starts another control plane, which differs from the stage's in whom it trusts to say who people are, or in more. */
  anotherControlPlane(
    name: string,
    identity: Partial<ControlPlaneOptions['identity']>,
    configuration?: ControlPlaneOptions['configuration'],
  ): Promise<RunningControlPlane>;
  /** User settings with which the extension finds its way here. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Environment variables with which `oam` finds its way here. */
  readonly commandLine: Readonly<Record<string, string>>;
  readonly cleanup: Cleanup;
  close(): Promise<void>;
}

/** Sets the stage. A failure half-way undoes what was done. */
export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const cleanup = options.cleanup ?? new Cleanup();
  try {
    const folder = await cleanup.start(
      () => temporaryFolder('stage'),
      (made) => made.remove(),
    );

    const { identityProvider, databricks } = await startCompany(cleanup, {
      identityProvider: {
        ...(options.ports === undefined ? {} : { port: options.ports.identityProvider }),
        ...(options.idTokenSeconds === undefined ? {} : { idTokenSeconds: options.idTokenSeconds }),
        ...(options.accessTokenSeconds === undefined
          ? {}
          : { accessTokenSeconds: options.accessTokenSeconds }),
      },
      databricks: {
        ...(options.ports === undefined ? {} : { ports: options.ports }),
        ...(options.databricksTokenSeconds === undefined
          ? {}
          : { tokenSeconds: options.databricksTokenSeconds }),
      },
    });

    const policyFolder = join(folder.path, 'policy');
    await cleanup.start(() => cp(join(ROOT, 'demo/policy'), policyFolder, { recursive: true }));
    if (options.adjustCatalogue !== undefined) {
      const catalogue = join(policyFolder, 'catalogue.yaml');
      await writeFile(catalogue, options.adjustCatalogue(await readFile(catalogue, 'utf8')));
    }

    const identity: ControlPlaneOptions['identity'] = {
      issuer: identityProvider.issuer,
      clientId: EDITOR_CLIENT_ID,
      audience: OAM_AUDIENCE,
      scopes: EDITOR_SCOPES,
    };
    const startOne = (
      o: Pick<ControlPlaneOptions, 'folder' | 'port' | 'identity' | 'configuration'>,
    ): Promise<RunningControlPlane> =>
      cleanup.start(
        (signal) =>
          startControlPlane({
            ...o,
            signal,
            policyFolder,
            databricks: {
              accountId: databricks.account.accountId,
              ...databricks.coreCredentials,
              pat: databricks.tokenCredentials,
              reader: databricks.readerCredentials,
            },
            workspaces: { prod: databricks.workspaces.prod.host, dev: databricks.workspaces.dev.host },
            ...(options.absenceConfirmMs === undefined ? {} : { absenceConfirmMs: options.absenceConfirmMs }),
          }),
        (running) => running.close(),
      );
    const controlPlane = await startOne({
      folder: join(folder.path, 'oam'),
      ...(options.ports === undefined ? {} : { port: options.ports.controlPlane }),
      identity,
    });
    databricks.setControlPlaneIssuer(controlPlane.url);

    const hosts = [databricks.workspaces.prod.host, databricks.workspaces.dev.host];
    return {
      folder: folder.path,
      identityProvider,
      databricks,
      controlPlane,
      policyFolder,
      anotherControlPlane: (name, change, configuration) =>
        startOne({
          folder: join(folder.path, name),
          identity: { ...identity, ...change },
          ...(configuration && { configuration }),
        }),
      settings: {
        'databricksMlOam.controlPlaneUrl': controlPlane.url,
        'databricksMlOam.trustedWorkspaceHosts': hosts,
      },
      commandLine: { OAM_URL: controlPlane.url, OAM_TRUSTED_WORKSPACE_HOSTS: hosts.join(',') },
      cleanup,
      close: () => cleanup.run(),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
