import { isDeepStrictEqual } from 'node:util';

import type { HostTrust } from '../../databricks/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { Clock } from '../../domain/time.ts';
import {
  Accounts,
  type AccountStores,
  cancellable,
  createDatabricksSignIns,
  credentialReturn,
  createSessionKeeper,
  databricksKey,
  type DatabricksSignIns,
  discoverIdentityProvider,
  type DiscoveredIdentityProvider,
  type KnownAccount,
  notSignedIn,
  type RefreshLock,
  refuseOldSignIn,
  revokeSession,
  type Seat,
  type Session,
  type SessionKeeper,
  sessionUnreadable,
  type SubjectToken,
} from '../../identity/index.ts';
import type { SessionLimits } from '../../protocol/configuration.ts';
import { Changes, type Stoppable } from '../changes.ts';
import { controlPlaneOrigin } from './control-plane-address.ts';
import { needsNewSession, type PinnedTrust, trustChanges } from './pinned-trust.ts';
import { type ConnectionState, type Keeping, standing } from './standing.ts';
import { agreedTrust, type TrustAgreement } from './trust-agreement.ts';

export type { ConnectionState, SignedInState } from './standing.ts';

/** What {@link Connection} needs. */
export interface ConnectionOptions extends TrustAgreement {
  /** The setting's present value. */
  readonly address: () => string;
  readonly stores: (url: string, identity: PinnedTrust['identity']) => AccountStores;
  /** The lock of one account, or of the list of accounts. */
  readonly lock: (account?: string) => RefreshLock;
  readonly trust: () => HostTrust;
  readonly clock: Clock;
  readonly redactor: Redactor;
}

/** The account that acts. */
export interface ActingAccount {
  readonly keeper: SessionKeeper;
  readonly databricks: DatabricksSignIns;
}

/** Performs the interactive part of signing in. */
export type SignIn = (identityProvider: DiscoveredIdentityProvider) => Promise<Session>;

/** The way to one control plane: whom it named, who has signed in there on this machine, and who of them acts. */
export class Connection implements Stoppable {
  readonly #options: ConnectionOptions;
  readonly #changes = new Changes<ConnectionState>();
  readonly #accountChanges = new Changes<void>();
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

  /** Everybody who has signed in on this machine, the acting one first. */
  get accounts(): readonly KnownAccount[] {
    return this.#keeping?.accounts.known ?? [];
  }

  /** How long the company lets a session last; undefined where it does not say. */
  get limits(): SessionLimits | undefined {
    return this.#keeping?.trust.sessions;
  }

  /** The scopes of the accounts' access tokens. */
  get scopes(): readonly string[] {
    return this.#keeping?.trust.identity.scopes ?? [];
  }

  /** Somebody came, went, acts, or has other tokens. */
  readonly onDidChangeAccounts = this.#accountChanges.on;

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
   * @param seat Whether the new account takes the place of the one that acts.
   * @throws {OamError} `not_configured`, `session_over_limit` where the sign-in is too old already, and what the control plane's and the identity provider's clients throw.
   * @throws {CancelledError} where the person does not agree to a change of whom they trust.
   */
  async signIn(perform: SignIn, signal: AbortSignal, seat: Seat = 'replaces'): Promise<Session> {
    const url = this.#requireUrl();
    const generation = this.#generation;
    const trust = await agreedTrust(this.#options, url, signal);
    // Not waited for when it is called off: a provider that is silent would keep the person waiting for its time-out.
    const identityProvider = await cancellable(discoverIdentityProvider(trust.identity), signal);
    const session = await perform(identityProvider);
    if (generation !== this.#generation) {
      void revokeSession(identityProvider, session);
      throw new CancelledError();
    }
    refuseOldSignIn(trust.sessions, session, this.#options.clock.nowMs());
    await this.#options.pins.write(url, trust);
    const { accounts } = await this.#keepFor(url, trust, identityProvider);
    await accounts.accept(session, seat);
    this.#settle(accounts);
    return session;
  }

  /**
   * Lets another account act, which has signed in before. Nobody is signed out.
   *
   * @throws {OamError} `session_expired` where its session has run out.
   */
  async switchTo(account: string): Promise<void> {
    await this.#keeping?.accounts.switchTo(account);
  }

  /**
   * Signs an account out, the acting one unless told: here in the very call, then in the secret storage. The provider
   * is told too, and nobody waits for it.
   *
   * @throws {OamError} `session_not_deleted`.
   */
  async signOut(account = this.accounts.find(({ isActing }) => isActing)?.key): Promise<void> {
    if (account !== undefined) await this.#keeping?.accounts.signOut(account);
  }

  /** Compares whom the control plane names now with what is pinned, and asks about a change. */
  async checkTrust(signal: AbortSignal): Promise<void> {
    const keeping = this.#keeping;
    if (keeping === undefined) return;
    const trust = await agreedTrust(this.#options, keeping.url, signal);
    const changes = trustChanges(keeping.trust, trust);
    if (keeping !== this.#keeping) return;
    await this.#options.pins.write(keeping.url, trust);
    if (changes.length === 0) {
      this.#keeping = { ...keeping, trust: { ...keeping.trust, sessions: trust.sessions } };
      this.#accountChanges.fire();
      return;
    }
    if (needsNewSession(changes)) await keeping.accounts.signOutAll();
    await this.start();
  }

  /**
   * Ends the sessions for which there is a reason, which is told; their accounts stay known.
   *
   * @throws {OamError} `session_not_deleted`.
   */
  async endSessions(reasonFor: (session: Session) => OamError | undefined): Promise<void> {
    await this.#keeping?.accounts.end(reasonFor);
  }

  /** When the next session is due for a refresh; undefined while nobody is signed in. */
  get refreshAtMs(): number | undefined {
    const due = this.#keepers.map(({ refreshAtMs }) => refreshAtMs).filter((atMs) => atMs !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /**
   * Refreshes the sessions that are due.
   *
   * @throws {OamError} the keeper's, such as `session_expired` and `identity_provider_unavailable`.
   */
  async refresh(): Promise<void> {
    const live = this.#keepers.filter(({ refreshAtMs }) => refreshAtMs !== undefined);
    const refreshed = await Promise.allSettled(live.map((keeper) => keeper.accessToken()));
    for (const outcome of refreshed) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** The store was changed by another window. */
  async storeChanged(): Promise<void> {
    if (this.#keeping !== undefined) await this.#keeping.accounts.reload();
    // The first sign-in of all was in that window.
    else if (this.pinned !== undefined) await this.start();
  }

  /**
   * The subject token for a workspace's token endpoint; waits for the session to be restored.
   *
   * @throws {OamError} `not_signed_in` and the keeper's.
   */
  async subjectToken(signal?: AbortSignal): Promise<SubjectToken> {
    return (await this.acting()).keeper.subjectToken(signal);
  }

  /**
   * Whoever acts: their session, and their own sign-ins at workspaces; waits for the session to be restored.
   *
   * @throws {OamError} `not_signed_in`.
   */
  async acting(): Promise<ActingAccount> {
    await this.#restored;
    const accounts = this.#keeping?.accounts;
    const [keeper, databricks] = [accounts?.acting, accounts?.databricksOf()];
    if (keeper === undefined || databricks === undefined) throw notSignedIn();
    return { keeper, databricks };
  }

  dispose(): void {
    this.#generation++;
    this.#release();
    this.#changes.dispose();
    this.#accountChanges.dispose();
  }

  get #keepers(): readonly SessionKeeper[] {
    return this.#keeping?.accounts.keepers ?? [];
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
    const { accounts } = this.#keep(url, trust, undefined);
    try {
      await accounts.reload();
      if (generation === this.#generation) this.#settle(accounts);
    } catch (failure) {
      if (generation !== this.#generation) return;
      this.#become({ kind: 'signedOut', url, expired: false });
      throw sessionUnreadable(failure);
    }
  }

  /** The accounts at a control plane, as whom it is agreed to be; those at another identity provider are signed out. */
  async #keepFor(
    url: string,
    trust: PinnedTrust,
    identityProvider: DiscoveredIdentityProvider,
  ): Promise<Keeping> {
    const present = this.#keeping;
    if (present?.url === url) {
      const changes = trustChanges(present.trust, trust);
      if (changes.length === 0 && isDeepStrictEqual(present.trust.sessions, trust.sessions)) return present;
      if (!needsNewSession(changes)) {
        this.#keeping = { ...present, trust };
        return this.#keeping;
      }
      await present.accounts.signOutAll();
    }
    const keeping = this.#keep(url, trust, identityProvider);
    // Where nothing can be read, the session cannot be kept either, which says so.
    await keeping.accounts.reload().catch(() => undefined);
    return keeping;
  }

  #keep(url: string, trust: PinnedTrust, known: DiscoveredIdentityProvider | undefined): Keeping {
    const { stores, lock, clock, logger, redactor } = this.#options;
    let discovered = known;
    const kept = stores(url, trust.identity);
    const accounts = new Accounts({
      stores: kept,
      lock: lock(),
      logger,
      databricks: (account) =>
        createDatabricksSignIns({
          store: kept.databricks(account),
          lock: lock(databricksKey(account)),
          trust: this.#options.trust,
          ...{ transport: this.#options.transport, clock, logger, redactor },
        }),
      keeper: (account) =>
        createSessionKeeper({
          store: kept.session(account),
          lock: lock(account),
          giveBack: credentialReturn({ baseUrl: url, transport: this.#options.transport }),
          identityProvider: async () => (discovered ??= await discoverIdentityProvider(trust.identity)),
          clock,
          logger,
          redactor,
        }),
    });
    this.#release();
    accounts.onDidChange(() => this.#settle(accounts));
    this.#keeping = { url, trust, accounts };
    return this.#keeping;
  }

  /** Brings the state into agreement with the accounts, without waiting: who signs out is signed out. */
  #settle(accounts: Accounts): void {
    if (this.#keeping?.accounts !== accounts) return;
    const state = standing(this.#keeping, this.#state, this.#options.transport);
    if (state !== this.#state) this.#become(state);
    this.#accountChanges.fire();
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
    this.#keeping?.accounts[Symbol.dispose]();
    this.#keeping = undefined;
  }
}
