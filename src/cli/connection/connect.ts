import { hostTrust } from '../../databricks/index.ts';
import {
  Accounts,
  type AccountStores,
  cancellable,
  createDatabricksSignIns,
  credentialReturn,
  createSessionKeeper,
  databricksKey,
  discoverIdentityProvider,
  type DiscoveredIdentityProvider,
  keychainLock,
  type KeychainSessions,
  lastUseHere,
  memoryAccountStores,
  openedAccountStores,
  openKeychainSessions,
  processRefreshLock,
  refuseOldSignIn,
  type RefreshLock,
  type Session,
  signInWithDeviceCode,
  stateFolder,
  watchKeychainSessions,
} from '../../identity/index.ts';
import { OamError } from '../../domain/errors.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../protocol/client.ts';
import { createLinesClient, type LinesClient } from '../../protocol/lines.ts';
import type { Configuration } from '../../protocol/configuration.ts';
import { describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { controlPlaneUrl, trustedHosts } from './address.ts';
import { checkPin, type PinnedIdentity, pinnedIdentity } from './pins.ts';
import { type CommandSession, commandSession } from './session.ts';

/** A control plane, and the session in which it is spoken to. */
export interface Connection {
  readonly url: string;
  readonly client: ControlPlaneClient;
  /** For answers that come line by line. */
  readonly lines: LinesClient;
  readonly session: CommandSession;
  /** Whether the session outlives this process. */
  readonly kept: boolean;
  configuration(): Promise<Configuration>;
  /** Signs in by code, whoever is signed in now. */
  signIn(): Promise<Session>;
  /** Whoever is signed in, held to the company's limits, after signing in by code where nobody is. */
  signedIn(): Promise<Session>;
  /** Who a program works as that hangs on no grant: it ends with the session, by the company's limits too. */
  readonly withinLimits: Pick<CommandSession, 'subjectToken' | 'person'>;
}

type Parties = Parameters<KeychainSessions['stores']>[1];
type IdentityProviderOf = () => Promise<DiscoveredIdentityProvider>;

/** Connects to the control plane that the flags or the environment name. Nothing is sent yet. */
export async function connect(
  invocation: Invocation,
  flags: CommonFlags,
  openKeychain: (folder: string) => Promise<KeychainSessions | undefined> = openKeychainSessions,
): Promise<Connection> {
  const { clock, logger, redactor, transport, stream, signals } = invocation;
  const url = controlPlaneUrl(flags, invocation.env);
  const folder = stateFolder(invocation.env);
  const keychain = flags.keychain ? await openKeychain(folder) : undefined;
  const configuration = once(async () => {
    const open = createControlPlaneClient({ baseUrl: url, accessToken: nobody, transport });
    const said = await open.call('getConfiguration', { signal: signals.stop });
    const acceptChange = flags.acceptChange === true;
    const former = await checkPin({ folder, controlPlaneUrl: url, configuration: said, acceptChange });
    if (former !== undefined) await signOutAt(former);
    return said;
  });
  const identityProvider = once(async (): Promise<DiscoveredIdentityProvider> =>
    discoverIdentityProvider((await configuration()).identity),
  );
  const identity = async (): Promise<Parties> =>
    (await pinnedIdentity(folder, url)) ?? (await configuration()).identity;
  const stores =
    keychain === undefined
      ? memoryAccountStores()
      : openedAccountStores(once(async () => keychain.stores(url, await identity())));
  const inProcess = processRefreshLock();
  const lock = (account?: string): RefreshLock =>
    keychain === undefined ? inProcess : keychainLock(folder, account);
  const accountsIn = (stores: AccountStores, identityProvider: IdentityProviderOf): Accounts =>
    new Accounts({
      ...{ stores, lock: lock(), logger },
      databricks: (account) =>
        createDatabricksSignIns({
          ...{ store: stores.databricks(account), lock: lock(databricksKey(account)) },
          trust: () => hostTrust(trustedHosts(invocation.env)),
          ...{ transport, clock, logger, redactor },
        }),
      keeper: (account) =>
        createSessionKeeper({
          ...{ store: stores.session(account), lock: lock(account) },
          giveBack: credentialReturn({ baseUrl: url, transport }),
          ...{ identityProvider, clock, logger, redactor },
        }),
    });
  /** Sessions at somebody who is not named any more are found by nobody, so they do not stay. */
  const signOutAt = async (former: PinnedIdentity): Promise<void> => {
    if (keychain === undefined) return;
    const identity = { ...former, scopes: [] };
    using gone = accountsIn(
      keychain.stores(url, former),
      once(() => discoverIdentityProvider(identity)),
    );
    await gone.reload();
    for (const { key } of gone.known) await (await gone.signOut(key)).atProvider;
  };
  const accounts = accountsIn(stores, identityProvider);
  const session = commandSession({ accounts, lastUse: keychain?.lastUse ?? lastUseHere(), clock });
  if (keychain !== undefined) {
    watchKeychainSessions(folder, () => {
      session.changed().catch((error: unknown) => {
        logger.warn('the changed session could not be read', { error: String(error) });
      });
    });
  }

  const signIn = async (): Promise<Session> => {
    const signedIn = await signInWithDeviceCode(await cancellable(identityProvider(), signals.stop), {
      clock,
      signal: signals.stop,
      onPrompt(prompt) {
        invocation.note(
          `To sign in, open ${prompt.verificationUriComplete ?? prompt.verificationUri} in a browser and ` +
            `confirm the code ${prompt.userCode}`,
        );
        invocation.note(`(the code is good until ${describeMoment(prompt.expiresAtMs, clock.nowMs())}).`);
      },
    });
    refuseOldSignIn((await configuration()).sessions, signedIn, clock.nowMs());
    await session.accept(signedIn);
    return signedIn;
  };

  return {
    url,
    client: createControlPlaneClient({ baseUrl: url, accessToken: () => session.accessToken(), transport }),
    lines: createLinesClient({ baseUrl: url, accessToken: () => session.accessToken(), stream }),
    session,
    kept: keychain !== undefined,
    configuration,
    signIn,
    async signedIn() {
      // Before a session is looked for: whom it has to be of may have changed.
      const { sessions } = await configuration();
      if ((await session.current()) !== undefined) await session.hold(sessions, true);
      const ended = session.ended();
      if (ended !== undefined) invocation.note(ended.message);
      return (await session.current()) ?? signIn();
    },
    withinLimits: {
      async subjectToken(signal) {
        await session.hold((await configuration()).sessions, false);
        return session.subjectToken(signal);
      },
      async person(signal) {
        await session.hold((await configuration()).sessions, false);
        return session.person(signal);
      },
    },
  };
}

const nobody = (): Promise<undefined> => Promise.resolve(undefined);

/** Remembers what succeeded; what failed is tried again at the next call. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

/**
 * The workspace to work with: the one that is named, or the only one.
 *
 * @throws {OamError} `unknown_workspace`, `workspace_needed`.
 */
export function chooseWorkspace(
  workspaces: Configuration['workspaces'],
  name: string | undefined,
): Configuration['workspaces'][number] {
  const names = workspaces.map((workspace) => workspace.name).join(', ');
  if (name !== undefined) {
    const named = workspaces.find((workspace) => workspace.name === name);
    if (named !== undefined) return named;
    throw new OamError('unknown_workspace', `There is no workspace '${name}'. Name one of these.`, {
      detail: names,
    });
  }
  const [only, ...others] = workspaces;
  if (only !== undefined && others.length === 0) return only;
  throw new OamError('workspace_needed', 'Say which workspace, with --workspace and one of these.', {
    detail: names,
  });
}
