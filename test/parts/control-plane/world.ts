import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type * as z from 'zod/mini';

import { type Assembly, assembleControlPlane } from '../../../src/control-plane/assemble.ts';
import { IdentitySettings, toIdentityTrust } from '../../../src/control-plane/authentication/settings.ts';
import type { AuditConfiguration } from '../../../src/control-plane/audit/settings.ts';
import type { CallbackKeys } from '../../../src/control-plane/callbacks/keys.ts';
import type { CallbackSettings } from '../../../src/control-plane/callbacks/settings.ts';
import type { ServerConfiguration } from '../../../src/control-plane/configuration/configuration.ts';
import { readReceivers } from '../../../src/control-plane/notices/receivers.ts';
import { NoticeSettings } from '../../../src/control-plane/notices/settings.ts';
import { ReconcilerSettings } from '../../../src/control-plane/reconciler/settings.ts';
import type { WorkloadTrust } from '../../../src/control-plane/workloads/configuration.ts';
import { type PolicyFolder, readPolicyFolder } from '../../../src/control-plane/policy/folder.ts';
import { compilePolicy } from '../../../src/control-plane/policy/publish.ts';
import type { SealKeys } from '../../../src/control-plane/issuer/seal.ts';
import type { PolicyVersion } from '../../../src/control-plane/policy/version.ts';
import { type Logger, silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import type { GrantState } from '../../../src/domain/lifecycle.ts';
import {
  ControlPlaneError,
  type ControlPlaneClient,
  createControlPlaneClient,
} from '../../../src/protocol/client.ts';
import type { Problem, ProblemCode } from '../../../src/protocol/problem.ts';
import type { GrantView, RequestView } from '../../../src/protocol/schemas.ts';
import type { CredentialView } from '../../../src/protocol/credentials.ts';
import { axiosTransport, type HttpRequest, type HttpResponse } from '../../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  type SandboxDatabricksOptions,
  SEED,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  type Person,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { freshStore, type TestStore } from './database.ts';

export type Name = keyof typeof PEOPLE;

/** What the directory's provisioning client presents. */
export const DIRECTORY_TOKEN = 'a-directory-token-of-a-test-that-nobody-guesses';

/** Of OAM's application in Entra ID. */
export const GRAPH_SECRET = 'a-secret-of-a-test-for-the-graph';

export interface WorldOptions {
  readonly absenceConfirmMs?: number;
  readonly lapseMinutes?: number;
  /** How often due work is looked for. */
  readonly pollMs?: number;
  readonly limits?: ServerConfiguration['limits'];
  readonly sessions?: ServerConfiguration['sessions'];
  readonly logger?: Logger;
  /** Takes what would be written to standard output. */
  readonly print?: (line: string) => void;
  /** How the tokens of the identity provider are read, where not by the defaults. */
  readonly identity?: Partial<z.input<typeof IdentitySettings>>;
  /** Where the audit trail is kept besides the store. */
  readonly audit?: AuditConfiguration;
  /** The store, in place of a fresh one of its own. */
  readonly store?: TestStore;
  /** Who is told by chat and mail, with the environment that holds what opens their doors. */
  readonly notices?: {
    readonly settings: z.input<typeof NoticeSettings>;
    readonly environment: Readonly<Record<string, string>>;
  };
  readonly reconciler?: z.input<typeof ReconcilerSettings>;
  /** Another world's Databricks, in place of one of its own. */
  readonly databricks?: RunningSandboxDatabricks;
  /** Who is asked about purposes, and what questions are signed with. */
  readonly callbacks?: { readonly settings: CallbackSettings; readonly keys: CallbackKeys };
  /** The workloads that may come. */
  readonly workloads?: WorkloadTrust;
  /** Where a directory pushes to this control plane, with {@link DIRECTORY_TOKEN}: by `externalId`, unless it is named. */
  readonly directory?: true | 'userName';
  /** A policy folder in place of the demo's, whose changes are taken up while the control plane runs. */
  readonly policyFolder?: string;
  /** Puts another policy in the place of the demo's. */
  readonly adjustPolicy?: (policy: PolicyVersion) => PolicyVersion;
  /** Without a service principal that reads what leads look at. */
  readonly noReader?: true;
  readonly issuer?: Partial<ServerConfiguration['issuer']>;
  /** What seals the keys that OAM signs with, in place of a key of its own. */
  readonly sealKeys?: SealKeys;
  /** What is in the stand-in besides its seed. */
  readonly seed?: Pick<SandboxDatabricksOptions, 'jitGroups' | 'tokenSeconds'>;
  /** Called before each exchange of the control plane with others. */
  readonly beforeExchange?: (request: HttpRequest) => Promise<void>;
  /** What happens in Databricks before the control plane comes. */
  readonly beforeStart?: (
    parts: Pick<World, 'databricks' | 'identityProvider' | 'store' | 'policy' | 'advance'>,
  ) => Promise<void>;
}

/** A control plane over a real store, the real identity provider and the stand-in Databricks. */
export interface World {
  readonly url: string;
  readonly store: TestStore;
  readonly identityProvider: RunningIdentityProvider;
  readonly databricks: RunningSandboxDatabricks;
  readonly policy: PolicyVersion;
  readonly dataFolder: string;
  readonly config: ServerConfiguration;
  readonly sealKeys: SealKeys;
  /** An access token of the identity provider's, as of the store's time. */
  token(name: Name, claims?: Record<string, unknown>): Promise<string>;
  client(name: Name, claims?: Record<string, unknown>): ControlPlaneClient;
  /** A plain HTTP exchange with the control plane. */
  http(request: Omit<HttpRequest, 'url'> & { readonly path: string }): Promise<HttpResponse>;
  /** Asks for a role, and gives the request. */
  ask(name: Name, roleId: string, minutes?: number): Promise<RequestView>;
  /** Waits until a grant is in one of the states. */
  until(grantId: string, ...states: GrantState[]): Promise<GrantView>;
  /** Moves the time of the store and of the stand-in Databricks ahead by this much more. */
  advance(ms: number): Promise<void>;
  /** Stops the control plane's work and begins it anew on the same store, as a restart with another policy does. */
  restart(
    adjustPolicy?: (policy: PolicyVersion) => PolicyVersion,
    whileDown?: () => Promise<void>,
  ): Promise<void>;
  /** Another control plane on the same store, behind the same public address. */
  addReplica(): Promise<Replica>;
  close(): Promise<void>;
}

/** See {@link World.addReplica}. */
export interface Replica extends AsyncDisposable {
  client(name: Name): ControlPlaneClient;
}

const transport = axiosTransport();

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dataFolder = await mkdtemp(path.join(tmpdir(), 'oam-world-'));
  stack.defer(() => rm(dataFolder, { recursive: true, force: true }));
  const store = options.store ?? (await freshStore());
  stack.defer(() => store.close());
  const identityProvider = await startIdentityProvider({ devicePollSeconds: 0.05 });
  stack.defer(() => identityProvider.close());
  let aheadMs = 0;
  const ownDatabricks =
    options.databricks === undefined
      ? await startSandboxDatabricks({
          identityProvider: { issuer: identityProvider.issuer, audience: EDITOR_CLIENT_ID },
          people: Object.values(PEOPLE),
          clock: { nowMs: () => Date.now() + aheadMs },
          ...options.seed,
        })
      : undefined;
  stack.defer(() => ownDatabricks?.close());
  const databricks = options.databricks ?? ownDatabricks;
  if (databricks === undefined) throw new TypeError('There is no Databricks.');
  const compile = (read: PolicyFolder): Promise<PolicyVersion> =>
    compilePolicy(read, {
      OAM_WORKSPACE_PROD: databricks.workspaces.prod.host,
      OAM_WORKSPACE_DEV: databricks.workspaces.dev.host,
    });
  const folder = await readPolicyFolder(options.policyFolder ?? path.resolve('demo/policy'));
  let policy = (options.adjustPolicy ?? same)(await compile(folder));
  const config: ServerConfiguration = {
    listen: { host: '127.0.0.1', port: 0 },
    publicUrl: undefined,
    dataFolder,
    databaseUrl: undefined,
    lakebase: undefined,
    policyFolder: 'demo/policy',
    identity: toIdentityTrust({
      ...IdentitySettings.parse({
        issuer: identityProvider.issuer,
        clientId: EDITOR_CLIENT_ID,
        audience: OAM_AUDIENCE,
        scopes: [...EDITOR_SCOPES],
        claims: { attributes: { on_call: 'on_call' } },
        ...options.identity,
      }),
    }),
    databricks: {
      accountId: SEED.accountId,
      clientId: databricks.coreCredentials.applicationId,
      clientSecretEnv: 'UNUSED',
      pat: { clientId: databricks.tokenCredentials.applicationId, clientSecretEnv: 'UNUSED' },
      reader: options.noReader
        ? undefined
        : { clientId: databricks.readerCredentials.applicationId, clientSecretEnv: 'UNUSED' },
    },
    issuer: {
      keyEnv: 'UNUSED',
      previousKeyEnv: 'UNUSED',
      rotateAfterDays: 90,
      publishAheadMinutes: 1_440,
      policyKeys: 'discovery',
      ...options.issuer,
    },
    audit: options.audit ?? { anchors: { everySeconds: 60, standardOutput: false } },
    effects: { pollMs: options.pollMs ?? 50, absenceConfirmMs: options.absenceConfirmMs ?? 50 },
    requests: { lapseMinutes: options.lapseMinutes ?? 1_440, reviewHours: 24 },
    reconciler: ReconcilerSettings.parse({ everySeconds: 1, ...options.reconciler }),
    workloads: options.workloads,
    notices: options.notices && NoticeSettings.parse(options.notices.settings),
    callbacks: options.callbacks?.settings,
    directory: options.directory && {
      tokenEnv: 'UNUSED',
      previousTokenEnv: undefined,
      issuer: options.identity?.issuer ?? identityProvider.issuer,
      subject: options.directory === 'userName' ? 'userName' : 'externalId',
      groupName: 'displayName',
      trustMinutes: 15,
    },
    sessions: options.sessions,
    // Tests ask faster than people do.
    limits: options.limits ?? { requestsPerMinute: 1_000_000, streams: 100 },
  };
  const redactor = createRedactor();
  const noticeReceivers = await readReceivers(config.notices, redactor, options.notices?.environment);
  const sealKeys = options.sealKeys ?? { key: randomBytes(32).toString('base64') };
  let assembly: Assembly | undefined;
  let url = '';
  const assemble = (): Assembly =>
    assembleControlPlane({
      config,
      store,
      policy,
      ...(options.policyFolder !== undefined && {
        policySource: {
          path: options.policyFolder,
          contentHash: folder.contentHash,
          compile,
          pollMs: 50,
          settleMs: 20,
        },
      }),
      transport: async (request) => {
        await options.beforeExchange?.(request);
        return transport(request);
      },
      redactor,
      logger: options.logger ?? silentLogger,
      secrets: {
        databricksClientSecret: databricks.coreCredentials.secret,
        tokenClientSecret: databricks.tokenCredentials.secret,
        readerClientSecret: databricks.readerCredentials.secret,
        sealKeys,
        directoryTokens: [DIRECTORY_TOKEN],
        graphClientSecret: GRAPH_SECRET,
        receiverHeaders: () => ({}),
        noticeReceivers,
        callbackKeys: options.callbacks?.keys ?? new Map(),
      },
      signingKeysLost: false,
      version: '0.0.0-test',
      random: Math.random,
      print: options.print ?? (() => undefined),
    });
  const begin = async (): Promise<void> => {
    assembly = assemble();
    url = await assembly.app.listen({ host: '127.0.0.1', port: url === '' ? 0 : Number(new URL(url).port) });
    databricks.setControlPlaneIssuer(url);
    await assembly.begin(url);
  };
  const end = async (): Promise<void> => {
    await assembly?.app.close();
    await assembly?.end();
  };
  stack.defer(() => end());
  const advance = async (ms: number): Promise<void> => {
    aheadMs += ms;
    await store.advance(ms);
  };
  await options.beforeStart?.({ databricks, identityProvider, store, policy, advance });
  await begin();

  const token = async (name: Name, claims: Record<string, unknown> = {}): Promise<string> => {
    const { sub, userName, displayName, groups, duty, onCall }: Person = PEOPLE[name];
    const issuedAt = Math.floor((await store.nowMs()) / 1_000);
    return identityProvider.mint({
      sub,
      preferred_username: userName,
      name: displayName,
      groups,
      duty,
      ...(onCall !== undefined && { on_call: onCall }),
      iat: issuedAt,
      exp: issuedAt + 600,
      ...claims,
    });
  };
  const clientAt = (baseUrl: string, name: Name, claims?: Record<string, unknown>): ControlPlaneClient =>
    createControlPlaneClient({ baseUrl, accessToken: () => token(name, claims), transport });
  const client = (name: Name, claims?: Record<string, unknown>) => clientAt(url, name, claims);

  const kept = stack.move();
  return {
    get url() {
      return url;
    },
    store,
    identityProvider,
    databricks,
    get policy() {
      return policy;
    },
    dataFolder,
    config,
    sealKeys,
    token,
    client,
    http: ({ path: where, ...request }) => transport({ ...request, url: url + where }),
    ask: (name, roleId, minutes = 5) =>
      client(name).call('createRequest', {
        body: { roleId, purpose: 'Look into the drop in clicks', minutes },
      }),
    async until(grantId, ...states) {
      const auditor = client('aude');
      let grant = await auditor.call('getGrant', { params: { id: grantId } });
      const start = performance.now();
      while (!states.includes(grant.state)) {
        if (performance.now() - start > 8_000) {
          throw new Error(`The grant is ${grant.state}, not ${states.join(' or ')}: ${grant.trouble ?? ''}`);
        }
        await delay(25);
        grant = await auditor.call('getGrant', { params: { id: grantId } });
      }
      return grant;
    },
    advance,
    async restart(adjustPolicy, whileDown) {
      await end();
      await whileDown?.();
      policy = (adjustPolicy ?? same)(policy);
      await begin();
    },
    async addReplica() {
      const replica = assemble();
      const replicaUrl = await replica.app.listen({ host: '127.0.0.1', port: 0 });
      await replica.begin(url);
      return {
        client: (name) => clientAt(replicaUrl, name),
        async [Symbol.asyncDispose]() {
          await replica.app.close();
          await replica.end();
        },
      };
    },
    close: () => kept.disposeAsync(),
  };
}

/** The problem that a call is refused with; fails where it is not refused, or by another code. */
export async function refused(call: Promise<unknown>, code: ProblemCode): Promise<Problem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ControlPlaneError && error.problem.code === code) return error.problem;
    throw error;
  }
  throw new Error(`The call was not refused: ${code}`);
}

/** The token of a credential; fails where it is something to assume. */
export function bearerOf(credential: CredentialView): string {
  if (credential.kind === 'assumption') throw new Error(`The credential is an ${credential.kind}.`);
  return credential.accessToken;
}

/** The grant id of an approved request. */
export function grantOf(request: RequestView): string {
  if (request.grantId === null) throw new Error(`The request has no grant: ${request.state}`);
  return request.grantId;
}

function same<T>(value: T): T {
  return value;
}
