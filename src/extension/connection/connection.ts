import { CancelledError, OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { samePrincipal } from '../../domain/principal.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { Clock } from '../../domain/time.ts';
import {
  cancellable,
  createSessionKeeper,
  discoverIdentityProvider,
  type DiscoveredIdentityProvider,
  principalOf,
  type RefreshLock,
  type Session,
  type SessionKeeper,
  type SessionStore,
  type SubjectToken,
} from '../../identity/index.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../protocol/client.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { Changes, type Stoppable } from '../changes.ts';
import { controlPlaneOrigin } from './control-plane-address.ts';
import {
  needsNewSession,
  type PinBoard,
  type PinnedTrust,
  type TrustChange,
  trustChanges,
  trustOf,
} from './pinned-trust.ts';

/** Where the person stands with the control plane. Every change is a new object. */
export type ConnectionState =
  | { readonly kind: 'notConfigured'; readonly error: unknown }
  | { readonly kind: 'starting'; readonly url: string }
  | { readonly kind: 'signedOut'; readonly url: string; readonly expired: boolean }
  | SignedInState;

/** Somebody is signed in. */
export interface SignedInState {
  readonly kind: 'signedIn';
  readonly url: string;
  readonly trust: PinnedTrust;
  readonly session: Session;
  /** Acts as this one person: after a sign-in of somebody else it refuses with `principal_changed`. */
  readonly client: ControlPlaneClient;
}

/** What {@link Connection} needs. */
export interface ConnectionOptions {
  /** The setting's present value. */
  readonly address: () => string;
  readonly pins: PinBoard;
  readonly store: (url: string, identity: PinnedTrust['identity']) => SessionStore;
  readonly lock: RefreshLock;
  readonly transport: HttpTransport;
  /** Asks the person to consent to a change of whom they trust; false keeps what is pinned. */
  readonly confirmChange: (changes: readonly TrustChange[]) => Promise<boolean>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
}

/** Performs the interactive part of signing in. */
export type SignIn = (identityProvider: DiscoveredIdentityProvider) => Promise<Session>;

interface Keeping {
  readonly url: string;
  readonly trust: PinnedTrust;
  readonly keeper: SessionKeeper;
  readonly watch: Disposable;
}

/** The way to one control plane: whom it named, and the person's session there. */
export class Connection implements Stoppable {
  readonly #options: ConnectionOptions;
  readonly #changes = new Changes<ConnectionState>();
  #state: ConnectionState;
  #keeping: Keeping | undefined;
  #restored: Promise<void> = Promise.resolve();
  /** Goes up when the address changes, so that what was begun for the old one has no effect. */
  #generation = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#state = { kind: 'notConfigured', error: undefined };
  }

  get state(): ConnectionState {
    return this.#state;
  }

  readonly onDidChange = this.#changes.on;

  /** What is pinned for the present address; read without waiting. */
  get pinned(): PinnedTrust | undefined {
    const url = this.#address().url;
    return url === undefined ? undefined : this.#options.pins.read(url);
  }

  /**
   * Reads the session of the address in the settings, without asking the network.
   *
   * @throws {OamError} `session_unreadable` where the secret storage does not give it; nobody is signed in then.
   */
  start(): Promise<void> {
    const restoring = this.#restore();
    // Whoever asks for a token meanwhile waits for the end of it, and is told by the state what came out.
    this.#restored = restoring.catch(() => undefined);
    return restoring;
  }

  /**
   * Signs in, anew if need be.
   *
   * @throws {OamError} `not_configured`, and what the control plane's and the identity provider's clients throw.
   * @throws {CancelledError} where the person does not agree to a change of whom they trust.
   */
  async signIn(perform: SignIn, signal: AbortSignal): Promise<Session> {
    const url = this.#requireUrl();
    const generation = this.#generation;
    const trust = await this.#agreedTrust(url, signal);
    // Not waited for when it is called off: a provider that is silent would keep the person waiting for its time-out.
    const identityProvider = await cancellable(discoverIdentityProvider(trust.identity), signal);
    const session = await perform(identityProvider);
    if (generation !== this.#generation) throw new CancelledError();
    await this.#options.pins.write(url, trust);
    const keeping = this.#keep(url, trust, identityProvider);
    await keeping.keeper.accept(session);
    this.#settle(keeping);
    return session;
  }

  /**
   * Signs out: here in the very call, then in the secret storage. The provider is told too, and nobody waits for it.
   *
   * @throws {OamError} `session_not_deleted`.
   */
  async signOut(): Promise<void> {
    await this.#keeping?.keeper.signOut();
  }

  /** Compares whom the control plane names now with what is pinned, and asks about a change. */
  async checkTrust(signal: AbortSignal): Promise<void> {
    const keeping = this.#keeping;
    if (keeping === undefined) return;
    const trust = await this.#agreedTrust(keeping.url, signal);
    const changes = trustChanges(keeping.trust, trust);
    if (changes.length === 0 || keeping !== this.#keeping) return;
    await this.#options.pins.write(keeping.url, trust);
    if (needsNewSession(changes)) await keeping.keeper.signOut();
    await this.start();
  }

  /** When the session is due for a refresh; undefined while nobody is signed in. */
  get refreshAtMs(): number | undefined {
    return this.#keeping?.keeper.refreshAtMs;
  }

  /**
   * Refreshes the session where it is due.
   *
   * @throws {OamError} the keeper's, such as `session_expired` and `identity_provider_unavailable`.
   */
  async refresh(): Promise<void> {
    await this.#keeping?.keeper.accessToken();
  }

  /** The store was changed by another window. */
  async storeChanged(): Promise<void> {
    await this.#keeping?.keeper.reload();
  }

  /**
   * The subject token for a workspace's token endpoint; waits for the session to be restored.
   *
   * @throws {OamError} `not_signed_in` and the keeper's.
   */
  async subjectToken(signal?: AbortSignal): Promise<SubjectToken> {
    await this.#restored;
    if (this.#keeping === undefined) throw notSignedIn();
    return this.#keeping.keeper.subjectToken(signal);
  }

  dispose(): void {
    this.#generation++;
    this.#release();
    this.#changes.dispose();
  }

  async #restore(): Promise<void> {
    const generation = ++this.#generation;
    this.#release();
    const { url, error } = this.#address();
    if (url === undefined) {
      this.#become({ kind: 'notConfigured', error });
      return;
    }
    this.#become({ kind: 'starting', url });
    const trust = this.#options.pins.read(url);
    if (trust === undefined) {
      this.#become({ kind: 'signedOut', url, expired: false });
      return;
    }
    try {
      const keeping = this.#keep(url, trust, undefined);
      await keeping.keeper.current();
      if (generation === this.#generation) this.#settle(keeping);
    } catch (failure) {
      if (generation !== this.#generation) return;
      this.#become({ kind: 'signedOut', url, expired: false });
      throw new OamError(
        'session_unreadable',
        'Your session could not be read from the secret storage of this machine. Unlock its keychain, or sign in again.',
        { cause: failure },
      );
    }
  }

  #keep(url: string, trust: PinnedTrust, known: DiscoveredIdentityProvider | undefined): Keeping {
    const { store, lock, clock, logger, redactor } = this.#options;
    let discovered = known;
    const keeper = createSessionKeeper({
      store: store(url, trust.identity),
      lock,
      identityProvider: async () => (discovered ??= await discoverIdentityProvider(trust.identity)),
      clock,
      logger,
      redactor,
    });
    this.#release();
    const keeping: Keeping = {
      url,
      trust,
      keeper,
      watch: keeper.onDidChange(() => this.#settle(keeping)),
    };
    this.#keeping = keeping;
    return keeping;
  }

  /** Brings the state into agreement with the keeper, without waiting: who signs out is signed out. */
  #settle(keeping: Keeping): void {
    if (this.#keeping !== keeping) return;
    const { url, trust, keeper } = keeping;
    if (keeper.state.kind !== 'signed-in') {
      this.#become({ kind: 'signedOut', url, expired: keeper.state.kind === 'expired' });
      return;
    }
    const { session } = keeper.state;
    const before = this.#state.kind === 'signedIn' && this.#state.trust === trust ? this.#state : undefined;
    if (before?.session === session) return;
    const person = principalOf(session);
    const client =
      before !== undefined && samePrincipal(principalOf(before.session), person)
        ? before.client
        : createControlPlaneClient({
            baseUrl: url,
            accessToken: () => keeper.accessToken(undefined, person),
            transport: this.#options.transport,
          });
    this.#become({ kind: 'signedIn', url, trust, session, client });
  }

  async #agreedTrust(url: string, signal: AbortSignal): Promise<PinnedTrust> {
    const stranger = createControlPlaneClient({
      baseUrl: url,
      accessToken: () => Promise.resolve(undefined),
      transport: this.#options.transport,
    });
    const offered = trustOf(await stranger.call('getConfiguration', { signal }));
    const pinned = this.#options.pins.read(url);
    if (pinned === undefined) return offered;
    const changes = trustChanges(pinned, offered);
    if (changes.length === 0) return pinned;
    this.#options.logger.warn('The control plane names other parties than before', {
      what: changes.map(({ what }) => what).join(', '),
    });
    if (await this.#options.confirmChange(changes)) return offered;
    throw new CancelledError();
  }

  #requireUrl(): string {
    const { url, error } = this.#address();
    if (url !== undefined) return url;
    if (error instanceof Error) throw error;
    throw new OamError(
      'not_configured',
      'The address of your control plane is not set. Set it in the settings; your platform team knows it.',
    );
  }

  #address(): { readonly url: string | undefined; readonly error: unknown } {
    try {
      return { url: controlPlaneOrigin(this.#options.address()), error: undefined };
    } catch (error) {
      return { url: undefined, error };
    }
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#changes.fire(state);
  }

  #release(): void {
    this.#keeping?.watch[Symbol.dispose]();
    this.#keeping = undefined;
  }
}

function notSignedIn(): OamError {
  return new OamError('not_signed_in', 'You are not signed in. Sign in first.');
}
