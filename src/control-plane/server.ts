import type { AddressInfo } from 'node:net';

import { OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { createRedactor, type Redactor } from '../domain/redaction.ts';
import { SECOND_MS } from '../domain/time.ts';
import { axiosTransport } from '../protocol/transport.ts';
import { type Assembly, assembleControlPlane } from './assemble.ts';
import { recordPolicyRefused } from './audit/configuration-changes.ts';
import { createAuditDebt } from './audit/debt.ts';
import { callbackKeys } from './callbacks/keys.ts';
import { unknownToCatalogue } from './callbacks/settings.ts';
import { catalogueTerms, type ServerConfiguration } from './configuration/configuration.ts';
import { FileProblemsError } from './configuration/problems.ts';
import { receiverHeaders } from './configuration/receiver-headers.ts';
import { optionalSecretFromEnvironment, secretFromEnvironment } from './configuration/secret.ts';
import { createWorkspaces } from './effects/workspaces.ts';
import { directoryTokens } from './directory/tokens.ts';
import { readReceivers } from './notices/receivers.ts';
import { expectClaimed } from './policy/attributes.ts';
import { type PolicyFolder, readSettledFolder } from './policy/folder.ts';
import { compilePolicy } from './policy/publish.ts';
import type { PolicySource } from './policy/reload.ts';
import type { PolicyVersion } from './policy/version.ts';
import { type LakebaseSettings, lakebasePassword, lakebaseTarget } from './store/lakebase.ts';
import { openStore, type Store, type StoreOptions } from './store/store.ts';
import { PRODUCT_VERSION } from './version.ts';

/** A control plane that answers. */
export interface RunningControlPlane {
  /** The origin that it is reached at, without a trailing slash. */
  readonly url: string;
  /** Looks at the policy folder now. It is looked at every few seconds anyway. */
  reloadPolicy(): void;
  /** Answers no more, finishes what is under way, and lets go of the store. */
  close(): Promise<void>;
}

/** What is true of one start and not of the next. */
export interface StartOptions {
  /** Signing keys that cannot be unsealed are lost for good: new ones take their place. */
  readonly signingKeysLost?: boolean;
  /** Calls the start off: what has been started by then is stopped in order, and the signal's reason thrown. */
  readonly signal?: AbortSignal;
}

/**
 * Starts the control plane: secrets, policy, store, then the door. When the promise resolves it is ready.
 *
 * @param print writes a line to standard output.
 * @throws {OamError} `secret_missing`, `address_taken`, `address_unusable`, and whatever the policy folder, the store
 * and the issuer refuse.
 */
export async function startControlPlane(
  config: ServerConfiguration,
  logger: Logger,
  print: (line: string) => void,
  { signingKeysLost = false, signal }: StartOptions = {},
): Promise<RunningControlPlane> {
  const redactor = createRedactor();
  const secrets = {
    databricksClientSecret: secretFromEnvironment(config.databricks.clientSecretEnv),
    tokenClientSecret: config.databricks.pat && secretFromEnvironment(config.databricks.pat.clientSecretEnv),
    readerClientSecret:
      config.databricks.reader && secretFromEnvironment(config.databricks.reader.clientSecretEnv),
    sealKeys: {
      key: secretFromEnvironment(config.issuer.keyEnv),
      previous: optionalSecretFromEnvironment(config.issuer.previousKeyEnv),
    },
    directoryTokens: directoryTokens(config.directory),
    graphClientSecret: config.identity.graph && secretFromEnvironment(config.identity.graph.clientSecretEnv),
    receiverHeaders: (name: string | undefined) => receiverHeaders(name, redactor),
    noticeReceivers: await readReceivers(config.notices, redactor),
    callbackKeys: callbackKeys(config.callbacks, redactor),
  };
  for (const token of secrets.directoryTokens) redactor.register(token);
  redactor.register(secrets.databricksClientSecret);
  if (secrets.graphClientSecret !== undefined) redactor.register(secrets.graphClientSecret);
  if (secrets.tokenClientSecret !== undefined) redactor.register(secrets.tokenClientSecret);
  if (secrets.readerClientSecret !== undefined) redactor.register(secrets.readerClientSecret);
  redactor.register(secrets.sealKeys.key);
  if (secrets.sealKeys.previous !== undefined) redactor.register(secrets.sealKeys.previous);
  const store = await openStore({
    ...{ dataFolder: config.dataFolder, databaseUrl: config.databaseUrl, logger, signal },
    changing: config.lakebase && lakebaseStore(config, config.lakebase, redactor),
  });
  const { policy, policySource } = await firstPolicy(config, store, logger);
  for (const fault of config.callbacks ? unknownToCatalogue(config.callbacks, policy.catalogue) : []) {
    logger.error('A callback is to be asked about what the catalogue does not have.', { fault });
  }
  const assembly = assembleControlPlane({
    config,
    store,
    policy,
    policySource,
    transport: axiosTransport(),
    redactor,
    logger,
    secrets,
    version: PRODUCT_VERSION,
    random: Math.random,
    signingKeysLost,
    print,
  });
  try {
    signal?.throwIfAborted();
    const bound = await listen(assembly, config);
    const url = config.publicUrl ?? bound;
    await assembly.begin(url);
    logger.info('The control plane is ready.', { url, policy: policy.hash.slice(0, 12) });
    return {
      url,
      reloadPolicy: () => {
        assembly.reloadPolicy();
      },
      close: () => close(assembly, store),
    };
  } catch (error) {
    await close(assembly, store);
    throw error;
  }
}

/** The Lakebase database, which OAM enters as a service principal. Its certificate is a public one, and verified. */
function lakebaseStore(
  config: ServerConfiguration,
  lakebase: LakebaseSettings,
  redactor: Redactor,
): StoreOptions['changing'] {
  const clientId = lakebase.clientId ?? config.databricks.clientId;
  const clientSecret = secretFromEnvironment(lakebase.clientSecretEnv ?? config.databricks.clientSecretEnv);
  redactor.register(clientSecret);
  const workspaces = createWorkspaces({ clientId, clientSecret, transport: axiosTransport(), redactor });
  const { host, port, database } = lakebase;
  return {
    connection: { host, port, database, user: clientId, ssl: true },
    password: lakebasePassword({
      client: workspaces.at(lakebase.workspace),
      target: lakebaseTarget(lakebase),
      redactor,
      clock: { nowMs: () => performance.timeOrigin + performance.now() },
    }),
  };
}

/** How often the policy folder is looked at: its few files are read then. */
const POLICY_POLL_MS = 2 * SECOND_MS;

const POLICY_SETTLE_MS = 200;

/** The policy that decides from the start on, and where the next comes from. That one was refused is on the record before the start is given up. */
async function firstPolicy(
  config: ServerConfiguration,
  store: Store,
  logger: Logger,
): Promise<{ policy: PolicyVersion; policySource: PolicySource }> {
  const compile = async (read: PolicyFolder): Promise<PolicyVersion> => {
    const version = await compilePolicy(read, process.env, catalogueTerms(config));
    expectClaimed(version, read.path, Object.keys(config.identity.attributes));
    return version;
  };
  let contentHash: string | undefined;
  try {
    const path = config.policyFolder;
    const folder = await readSettledFolder(path, POLICY_SETTLE_MS);
    contentHash = folder.contentHash;
    const policy = await compile(folder);
    return {
      policy,
      policySource: { path, contentHash, compile, pollMs: POLICY_POLL_MS, settleMs: POLICY_SETTLE_MS },
    };
  } catch (error) {
    try {
      if (error instanceof FileProblemsError) {
        const debt = createAuditDebt(config.dataFolder, logger);
        await recordPolicyRefused({ db: store.db, debt }, error.problems, contentHash);
      }
    } finally {
      await store.close();
    }
    throw error;
  }
}

async function close(assembly: Assembly, store: Store): Promise<void> {
  try {
    await assembly.app.close();
    await assembly.end();
  } finally {
    await store.close();
  }
}

async function listen({ app }: Assembly, config: ServerConfiguration): Promise<string> {
  const { host, port } = config.listen;
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'EADDRINUSE') {
      throw new OamError('address_taken', 'Another program listens there. Stop it, or choose another port.', {
        detail: `${host}:${port}`,
        cause: error,
      });
    }
    throw new OamError(
      'address_unusable',
      'The control plane cannot listen there. Check listen.host and port.',
      {
        detail: `${host}:${port}, ${code}`,
        cause: error,
      },
    );
  }
  return originOf(host, app.server.address());
}

function originOf(host: string, address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new TypeError('The server has no port.');
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}
