import type { PathEnd } from '../../broker/index.ts';
import type { OamError } from '../../domain/errors.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import {
  type Accounts,
  type DatabricksSignIns,
  type LastUse,
  notSignedIn,
  overLimit,
  type Session,
  type SessionKeeper,
  type SubjectToken,
} from '../../identity/index.ts';
import type { SessionLimits } from '../../protocol/configuration.ts';
import type { Clock } from '../../domain/time.ts';

/** How a person leaves: by their own word, or because somebody else has signed in in their place. */
export type Leaving = Extract<PathEnd, 'signed_out' | 'principal_changed'>;

/** The session that a command works in: that of whoever acts when it begins. */
export interface CommandSession {
  /** Without the network. */
  current(): Promise<Session | undefined>;
  /** Why there is none any more, where that was not the person's own word. */
  ended(): OamError | undefined;
  /** Keeps the session of a sign-in; it takes the place of whoever acted. */
  accept(session: Session): Promise<void>;
  /** Ends what has reached the company's limits; the rest counts as used now, where the person does something. */
  hold(limits: SessionLimits | undefined, isUse: boolean): Promise<void>;
  /** @throws {OamError} what {@link SessionKeeper.accessToken} throws. */
  accessToken(signal?: AbortSignal): Promise<string>;
  /** @throws {OamError} what {@link SessionKeeper.subjectToken} throws. */
  subjectToken(signal?: AbortSignal): Promise<SubjectToken>;
  /** @throws {OamError} what {@link SessionKeeper.person} throws. */
  person(signal?: AbortSignal): Promise<PrincipalKey>;
  /**
   * The person's own sign-ins at workspaces that want one.
   *
   * @throws {OamError} `not_signed_in`.
   */
  databricks(): Promise<DatabricksSignIns>;
  /** @returns Who was signed out, once the provider has been told. */
  signOut(): Promise<Session | undefined>;
  /**
   * Tells once that whoever the command works as has signed out, in whichever program that shares the session; at once
   * where they have already. A session that ran out is none of it: the same person may come back to it.
   */
  onLeft(listener: (leaving: Leaving) => void): Disposable;
  /** Another program has changed the accounts. */
  changed(): Promise<void>;
}

/** The session of a command over the accounts of the machine, or of the process. */
export function commandSession({
  accounts,
  lastUse,
  clock,
}: {
  readonly accounts: Accounts;
  readonly lastUse: LastUse;
  readonly clock: Clock;
}): CommandSession {
  let reading: Promise<void> | undefined;
  /** The account of whoever acted first: a program goes on as the person who started it. */
  let account: string | undefined;

  const ready = async (): Promise<void> => {
    reading ??= accounts.reload().catch((error: unknown) => {
      reading = undefined;
      throw error;
    });
    await reading;
    account ??= actingIn(accounts);
  };
  const mine = async <T>(of: (account: string) => T | undefined): Promise<T> => {
    await ready();
    const present = account === undefined ? undefined : of(account);
    if (present !== undefined) return present;
    throw notSignedIn();
  };
  const keeper = (): Promise<SessionKeeper> => mine((key) => accounts.keeperOf(key));
  const state = (): SessionKeeper['state'] | undefined =>
    account === undefined ? undefined : accounts.keeperOf(account)?.state;
  const current = async (): Promise<Session | undefined> => {
    await ready();
    const now = state();
    return now?.kind === 'signed-in' ? now.session : undefined;
  };

  return {
    current,
    ended() {
      const now = state();
      return now?.kind === 'expired' ? now.reason : undefined;
    },
    async accept(session) {
      await ready();
      await accounts.accept(session, 'replaces');
      account = actingIn(accounts);
      lastUse.write(clock.nowMs());
    },
    async hold(limits, isUse) {
      await ready();
      const nowMs = clock.nowMs();
      await accounts.end(({ beganAtMs }) =>
        overLimit(limits ?? {}, { beganAtMs, usedAtMs: lastUse.read() ?? beganAtMs ?? nowMs }, nowMs),
      );
      if (isUse) lastUse.write(nowMs);
    },
    accessToken: async (signal) => (await keeper()).accessToken(signal),
    subjectToken: async (signal) => (await keeper()).subjectToken(signal),
    person: async (signal) => (await keeper()).person(signal),
    databricks: () => mine((key) => accounts.databricksOf(key)),
    async signOut() {
      const session = await current();
      if (account !== undefined) await (await accounts.signOut(account)).atProvider;
      return session;
    },
    onLeft(listener) {
      const watch = new DisposableStack();
      const look = (): void => {
        if (account === undefined || accounts.keeperOf(account) !== undefined) return;
        watch.dispose();
        listener(actingIn(accounts) === undefined ? 'signed_out' : 'principal_changed');
      };
      watch.use(accounts.onDidChange(look));
      look();
      return watch;
    },
    changed: async () => (reading === undefined ? undefined : accounts.reload()),
  };
}

function actingIn(accounts: Accounts): string | undefined {
  return accounts.known.find(({ isActing }) => isActing)?.key;
}
