import {
  cancellable,
  createSessionKeeper,
  discoverIdentityProvider,
  type DiscoveredIdentityProvider,
  fileRefreshLock,
  memorySessionStore,
  processRefreshLock,
  type Session,
  type SessionKeeper,
  signInWithDeviceCode,
} from '../../identity/index.ts';
import { OamError } from '../../domain/errors.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../protocol/client.ts';
import { createLinesClient, type LinesClient } from '../../protocol/lines.ts';
import type { Configuration } from '../../protocol/schemas.ts';
import { describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { controlPlaneUrl } from './address.ts';
import { type Keychain, keychainSessionStore, openKeychain } from './keychain.ts';
import { checkPin } from './pins.ts';
import { stateFolder } from './state-folder.ts';

/** A control plane, and the session in which it is spoken to. */
export interface Connection {
  readonly url: string;
  readonly client: ControlPlaneClient;
  /** For answers that come line by line. */
  readonly lines: LinesClient;
  readonly session: SessionKeeper;
  /** Whether the session outlives this process. */
  readonly kept: boolean;
  configuration(): Promise<Configuration>;
  /** Signs in by code, whoever is signed in now. */
  signIn(): Promise<Session>;
  /** Whoever is signed in, after signing in by code where nobody is. */
  signedIn(): Promise<Session>;
}

/** Connects to the control plane that the flags or the environment name. Nothing is sent yet. */
export async function connect(
  invocation: Invocation,
  flags: CommonFlags,
  keychainOf: () => Promise<Keychain | undefined> = openKeychain,
): Promise<Connection> {
  const { clock, logger, redactor, transport, stream, signals } = invocation;
  const url = controlPlaneUrl(flags, invocation.env);
  const keychain = flags.keychain ? await keychainOf() : undefined;

  const folder = stateFolder(invocation.env);
  const configuration = once(async () => {
    const open = createControlPlaneClient({ baseUrl: url, accessToken: nobody, transport });
    const said = await open.call('getConfiguration', { signal: signals.stop });
    const acceptChange = flags.acceptChange === true;
    await checkPin({ folder, controlPlaneUrl: url, configuration: said, acceptChange });
    return said;
  });
  const identityProvider = once(async (): Promise<DiscoveredIdentityProvider> =>
    discoverIdentityProvider((await configuration()).identity),
  );
  const session = createSessionKeeper({
    store: keychain === undefined ? memorySessionStore() : keychainSessionStore(keychain, url),
    lock: keychain === undefined ? processRefreshLock() : fileRefreshLock(folder),
    identityProvider,
    clock,
    logger,
    redactor,
  });

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
    const { formerAtProvider } = await session.accept(signedIn);
    await formerAtProvider;
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
    signedIn: async () => (await session.current()) ?? signIn(),
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
