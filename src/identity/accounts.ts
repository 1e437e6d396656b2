import { OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import {
  accountKey,
  type AccountList,
  type ListedAccount,
  NO_ACCOUNTS,
  parseAccountList,
  withAccount,
  withoutAccount,
} from './account-list.ts';
import type { AccountStores } from './account-stores.ts';
import type { DatabricksSignIns } from './databricks-sign-ins.ts';
import { sessionExpired } from './failures.ts';
import type { RefreshLock } from './refresh-lock.ts';
import { principalOf, type Session } from './session.ts';
import type { SessionKeeper } from './session-keeper.ts';

/** What a new sign-in is to be. */
export type Seat =
  /** Takes the place of whoever acts, who is signed out. */
  | 'replaces'
  /** Acts from now on; whoever acted stays known and can be switched back to. */
  | 'acts'
  /** Is known, and acts only where nobody does. */
  | 'isAdded';

/** An account and its session; none where that has run out. */
export interface KnownAccount extends ListedAccount {
  readonly session: Session | undefined;
  readonly isActing: boolean;
}

/** What {@link Accounts} needs. */
export interface AccountsOptions {
  readonly stores: AccountStores;
  /** The list's. */
  readonly lock: RefreshLock;
  /** Makes the keeper of one account. */
  readonly keeper: (account: string) => SessionKeeper;
  /** Makes the keeper of one account's own sign-ins at workspaces. */
  readonly databricks: (account: string) => DatabricksSignIns;
  readonly logger: Logger;
}

interface Kept {
  readonly keeper: SessionKeeper;
  readonly databricks: DatabricksSignIns;
  readonly watch: Disposable;
}

/**
 * The people who have signed in on this machine, each with a session that is kept and refreshed by itself. One of them
 * acts, in all windows. Every change of the list is made under its lock, upon what is stored then.
 */
export class Accounts implements Disposable {
  readonly #options: AccountsOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #listeners = new Set<() => void>();
  #list: AccountList = NO_ACCOUNTS;
  #isRead = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /** Somebody came, went, acts, or has other tokens. */
  onDidChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The keeper of whoever acts. */
  get acting(): SessionKeeper | undefined {
    return this.#list.acting === undefined ? undefined : this.keeperOf(this.#list.acting);
  }

  /** The keeper of one account, while it is known. */
  keeperOf(key: string): SessionKeeper | undefined {
    return this.#kept.get(key)?.keeper;
  }

  /** The own sign-ins at workspaces of one account, while it is known; of whoever acts unless told. */
  databricksOf(key = this.#list.acting): DatabricksSignIns | undefined {
    return key === undefined ? undefined : this.#kept.get(key)?.databricks;
  }

  /** Everybody, the acting one first. */
  get known(): readonly KnownAccount[] {
    const { acting, accounts } = this.#list;
    return accounts
      .map((account) => {
        const state = this.#kept.get(account.key)?.keeper.state;
        const session = state?.kind === 'signed-in' ? state.session : undefined;
        return { ...account, session, isActing: account.key === acting };
      })
      .sort((a, b) => Number(b.isActing) - Number(a.isActing));
  }

  /** The sessions that are kept fresh. */
  get keepers(): readonly SessionKeeper[] {
    return [...this.#kept.values()].map(({ keeper }) => keeper);
  }

  /** Reads what is stored, at the start and when another window has changed it. Rejects with what storage says. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const list = parseAccountList(await this.#options.stores.list.read());
      // Whoever acts first: between two people nobody is shown to be signed out.
      if (list.acting !== undefined) await this.#ensure(list.acting).keeper.reload();
      this.#become(list);
      const others = list.accounts.filter(({ key }) => key !== list.acting);
      await Promise.all(others.map(({ key }) => this.#ensure(key).keeper.reload()));
    });
  }

  /**
   * Keeps the session of a sign-in that has just succeeded.
   *
   * @throws {OamError} `session_not_kept`; who acted still does.
   */
  accept(session: Session, seat: Seat): Promise<void> {
    const principal = principalOf(session);
    const key = accountKey(principal);
    return this.#inList(async (stored) => {
      const { keeper } = this.#ensure(key);
      await keeper.accept(session);
      const account: ListedAccount = { key, ...principal, userName: session.userName };
      const former = stored.acting === key ? undefined : stored.acting;
      const stays = seat === 'isAdded' && former !== undefined && this.#isSignedIn(former);
      const joined = withAccount(stored, account, stays ? former : key);
      const isReplaced = seat === 'replaces' && former !== undefined;
      const next = isReplaced ? withoutAccount(joined, former) : joined;
      try {
        await this.#write(next);
      } catch (error) {
        await keeper.signOut().catch(() => undefined);
        throw new OamError(
          'session_not_kept',
          'Your session could not be kept in the secret storage of this machine. Unlock its keychain and sign in again.',
          { cause: error },
        );
      }
      const replaced = isReplaced ? this.#ensure(former) : undefined;
      // Whoever acts is known, and the former person's addresses have ended, before the former session is looked at.
      this.#become(next);
      if (isReplaced && replaced !== undefined) {
        await signOutOf(replaced);
        // In a turn of its own: this one does not wait for other windows.
        void this.#sweep(former, replaced.keeper);
      }
    });
  }

  /**
   * Lets another account act. Nobody is signed out.
   *
   * @throws {OamError} `session_expired` where its session has run out.
   */
  switchTo(key: string): Promise<void> {
    return this.#inList(async (stored) => {
      const { keeper } = this.#ensure(key);
      await keeper.reload();
      if (keeper.state.kind !== 'signed-in' || !stored.accounts.some((account) => account.key === key)) {
        throw sessionExpired();
      }
      const next = { ...stored, acting: key };
      await this.#write(next);
      this.#become(next);
    });
  }

  /**
   * Signs one account out, and out of the workspaces where it signed in: here in the very call, then in the secret
   * storage. The provider is told too; `atProvider` tells whether it was, and is waited for by whoever wants to know.
   *
   * @throws {OamError} `session_not_deleted`.
   */
  async signOut(key: string): Promise<{ readonly atProvider: Promise<boolean> }> {
    const kept = this.#kept.get(key);
    const signedOut = kept && signOutOf(kept);
    const unlisted = this.#inList(async (stored) => {
      const next = withoutAccount(stored, key);
      await this.#write(next);
      this.#become(next);
    });
    const [ended, forgotten] = await Promise.allSettled([signedOut, unlisted]);
    if (ended.status === 'rejected') throw ended.reason;
    if (forgotten.status === 'rejected') {
      this.#options.logger.warn('An account could not be taken off the list', {
        error: String(forgotten.reason),
      });
    }
    if (kept === undefined || ended.value === undefined) return { atProvider: Promise.resolve(false) };
    const { atProvider } = ended.value;
    return { atProvider: this.#sweep(key, kept.keeper).then(() => atProvider) };
  }

  /** Signs everybody out, as {@link Accounts.signOut} does. */
  async signOutAll(): Promise<void> {
    const endings = await Promise.allSettled(this.#list.accounts.map(({ key }) => this.signOut(key)));
    for (const ending of endings) if (ending.status === 'rejected') throw ending.reason;
  }

  /** Ends the sessions for which there is a reason; their accounts stay known. */
  async end(reasonFor: (session: Session) => OamError | undefined): Promise<void> {
    const endings = this.keepers.flatMap((keeper) => {
      const reason = keeper.state.kind === 'signed-in' ? reasonFor(keeper.state.session) : undefined;
      return reason === undefined ? [] : [keeper.end(reason)];
    });
    await Promise.all(endings);
  }

  [Symbol.dispose](): void {
    for (const { watch } of this.#kept.values()) watch[Symbol.dispose]();
    this.#kept.clear();
    this.#listeners.clear();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }

  /** Changes the list upon what is stored, which another window may have changed. */
  #inList(change: (stored: AccountList) => Promise<void>): Promise<void> {
    const { lock, stores } = this.#options;
    return this.#inTurn(() =>
      lock.withLock(async () => {
        const text = await stores.list.read().catch((error: unknown) => {
          throw sessionUnreadable(error);
        });
        await change(parseAccountList(text));
      }),
    );
  }

  /** A refresh that was under way in another window may have stored what was signed out of; a sign-in since then stays. */
  async #sweep(key: string, keeper: SessionKeeper): Promise<void> {
    try {
      await this.#inList(async (stored) => {
        if (!stored.accounts.some((account) => account.key === key)) await keeper.sweep();
      });
    } catch (error) {
      this.#options.logger.warn('A session that was signed out of could not be looked for once more', {
        error: String(error),
      });
    }
  }

  async #write(list: AccountList): Promise<void> {
    const { list: store } = this.#options.stores;
    await (list.accounts.length === 0 ? store.clear() : store.write(JSON.stringify(list)));
  }

  #become(list: AccountList): void {
    this.#list = list;
    this.#isRead = true;
    for (const [key, { watch }] of this.#kept) {
      if (list.accounts.some((account) => account.key === key)) continue;
      watch[Symbol.dispose]();
      this.#kept.delete(key);
    }
    this.#tell();
  }

  /** Tells everybody; what a listener throws is reported by the runtime and keeps nobody else from hearing. */
  #tell(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (failure) {
        queueMicrotask(() => {
          throw failure;
        });
      }
    }
  }

  #isSignedIn(key: string): boolean {
    return this.#kept.get(key)?.keeper.state.kind === 'signed-in';
  }

  #ensure(key: string): Kept {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const keeper = this.#options.keeper(key);
    const watch = keeper.onDidChange(() => {
      // Until it is known who acts, there is nothing to tell.
      if (this.#isRead) this.#tell();
    });
    const kept = { keeper, databricks: this.#options.databricks(key), watch };
    this.#kept.set(key, kept);
    return kept;
  }
}

/** Both are begun in this very call. */
async function signOutOf({ keeper, databricks }: Kept): Promise<{ readonly atProvider: Promise<boolean> }> {
  const [session, signIns] = await Promise.allSettled([keeper.signOut(), databricks.signOut()]);
  if (session.status === 'rejected') throw session.reason;
  if (signIns.status === 'rejected') throw signIns.reason;
  const { atProvider } = session.value;
  return { atProvider: signIns.value.atDatabricks.then(() => atProvider) };
}

/** What is kept cannot be read: nothing is known of who is signed in. */
export function sessionUnreadable(cause: unknown): OamError {
  return new OamError(
    'session_unreadable',
    'Your session could not be read from the secret storage of this machine. Unlock its keychain, or sign in again.',
    { cause },
  );
}
