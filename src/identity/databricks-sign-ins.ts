import { randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import {
  type BearerToken,
  type HostTrust,
  refreshUserToken,
  type RenewableToken,
  revokeUserToken,
  type UserSignInPlace,
} from '../databricks/index.ts';
import { hasCode, OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { type PrincipalKey, samePrincipal } from '../domain/principal.ts';
import { type Redactor, registerRecent } from '../domain/redaction.ts';
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/time.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { cancellable } from './cancellation.ts';
import type { RefreshLock } from './refresh-lock.ts';
import type { SessionStore } from './session.ts';

/** A workspace at which people sign in by themselves, and as which client. */
export type SignInWorkspace = Pick<UserSignInPlace, 'host' | 'clientId'>;

/** What {@link createDatabricksSignIns} needs. */
export interface DatabricksSignInsOptions {
  /** Keeps the sign-ins of one account at all workspaces, so that signing out is one step. */
  readonly store: SessionStore;
  /** Refresh tokens of Databricks may be good for one use: one refresh at a time across windows. */
  readonly lock: RefreshLock;
  /** Asked before each time that something is sent. */
  readonly trust: () => HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
}

/** Keeps what a person's own sign-ins at workspaces brought, and renews it. */
export interface DatabricksSignIns {
  /**
   * The person's token for the workspace, renewed ahead of its end.
   *
   * @throws {OamError} `databricks_own_sign_in_needed` where there is none of this person; `databricks_sign_in_ended`
   *   where the workspace has ended it; `session_locked`; those of `refreshUserToken`, once the token has run out.
   */
  token(workspace: SignInWorkspace, person: PrincipalKey, signal?: AbortSignal): Promise<BearerToken>;
  /**
   * Until when there will be tokens without another sign-in: `Infinity` where they can be renewed, undefined where
   * there are none. Epoch milliseconds.
   */
  lastsUntilMs(workspace: SignInWorkspace, person: PrincipalKey): Promise<EpochMs | undefined>;
  /**
   * Keeps what a sign-in of this very person brought.
   *
   * @throws {OamError} `session_not_kept` where the store does not take it.
   */
  accept(workspace: SignInWorkspace, person: PrincipalKey, token: RenewableToken): Promise<void>;
  /**
   * Forgets all of it: here in the very call, then in the store, then asks the workspaces to forget it too.
   * `atDatabricks` tells whether all of them did; Databricks has no way to today.
   *
   * @throws {OamError} `session_not_deleted` where the store still holds it; nobody gets it from here all the same.
   */
  signOut(): Promise<{ readonly atDatabricks: Promise<boolean> }>;
}

const SignIn = z.readonly(
  z.object({
    /** Stays over renewals; tells one sign-in from the next. */
    id: z.string(),
    iss: z.string(),
    sub: z.string(),
    clientId: z.string(),
    accessToken: z.string(),
    expiresAtMs: z.number(),
    renewFromMs: z.number(),
    refreshToken: z.optional(z.string()),
  }),
);
type SignIn = z.infer<typeof SignIn>;

/** By host. */
const SignIns = z.record(z.string(), SignIn);
type SignIns = Readonly<Record<string, SignIn>>;

/** Before the broker replaces what it holds, so that it then finds a new one. */
const RENEW_AHEAD_MS = 4 * MINUTE_MS;

/** A token with less left is not handed out: it would run out on its way. */
const MINIMUM_LEFT_MS = 15 * SECOND_MS;

/** Creates the keeper of one account's sign-ins at workspaces. Nothing is read or sent before it is asked. */
export function createDatabricksSignIns(options: DatabricksSignInsOptions): DatabricksSignIns {
  const { store, lock, clock, logger } = options;
  const masks = createMasks(options.redactor);
  /** Ids of sign-ins that were signed out of here: the store may hold them a moment longer. */
  const left = new Set<string>();
  /** Renewed, but the store did not take it: by the refresh token that the store still has. */
  const unstored = new Map<string, SignIn>();

  const readAll = async (): Promise<SignIns> => {
    const text = await store.read();
    if (text === undefined) return {};
    let kept: SignIns;
    try {
      kept = SignIns.parse(JSON.parse(text));
    } catch {
      logger.warn('the stored sign-ins at Databricks cannot be read; sign in there again');
      return {};
    }
    return Object.fromEntries(
      Object.entries(kept)
        .filter(([, { id }]) => !left.has(id))
        .map(([host, signIn]) => [host, unstored.get(signIn.refreshToken ?? '') ?? signIn]),
    );
  };

  const find = async (
    { host, clientId }: SignInWorkspace,
    person: PrincipalKey,
  ): Promise<SignIn | undefined> => {
    const signIn = (await readAll())[host];
    if (signIn?.clientId !== clientId || !samePrincipal(signIn, person)) return undefined;
    masks.cover(signIn);
    return signIn;
  };

  const write = async (all: SignIns): Promise<void> => {
    await (Object.keys(all).length === 0 ? store.clear() : store.write(JSON.stringify(all)));
  };

  /** Changes what is stored for one workspace; called under the lock. */
  const put = async (host: string, signIn: SignIn | undefined): Promise<void> => {
    const others = Object.entries(await readAll()).filter(([kept]) => kept !== host);
    await write(Object.fromEntries(signIn === undefined ? others : [...others, [host, signIn]]));
  };

  const placeOf = ({ host, clientId }: SignInWorkspace): UserSignInPlace => ({
    ...{ host, clientId, trust: options.trust() },
    ...{ transport: options.transport, clock },
  });

  const isFresh = ({ renewFromMs }: SignIn): boolean => clock.nowMs() < renewFromMs;
  const isUsable = ({ expiresAtMs }: SignIn): boolean => expiresAtMs - clock.nowMs() >= MINIMUM_LEFT_MS;

  const renewOnce = async (workspace: SignInWorkspace, signIn: SignIn): Promise<SignIn> => {
    if (signIn.refreshToken === undefined) {
      if (isUsable(signIn)) return signIn;
      throw signInEnded(workspace.host);
    }
    const token = await refreshUserToken(placeOf(workspace), signIn.refreshToken);
    const renewed: SignIn = { ...signIn, ...keptOf(token, clock.nowMs()) };
    masks.cover(renewed);
    const stored = await readAll().catch(() => undefined);
    if (left.has(signIn.id) || (stored !== undefined && stored[workspace.host]?.id !== signIn.id)) {
      // Somebody signed out, or in anew, while the workspace was asked: what it brought must not undo that.
      await forget(workspace, renewed);
      throw ownSignInNeeded(workspace.host);
    }
    try {
      await put(workspace.host, renewed);
      unstored.clear();
    } catch (error) {
      unstored.set(storedFormOf(signIn.refreshToken), renewed);
      logger.warn('the sign-in at Databricks could not be stored; it ends with this window', {
        error: error instanceof Error ? error.name : 'unknown',
      });
    }
    return renewed;
  };

  /** The refresh token that the store has for the sign-in of this one. */
  const storedFormOf = (refreshToken: string): string =>
    [...unstored].find(([, held]) => held.refreshToken === refreshToken)?.[0] ?? refreshToken;

  const renew = async (workspace: SignInWorkspace, person: PrincipalKey): Promise<SignIn> => {
    const signIn = await find(workspace, person);
    if (signIn === undefined) throw ownSignInNeeded(workspace.host);
    if (isFresh(signIn)) return signIn;
    try {
      return await renewOnce(workspace, signIn);
    } catch (error) {
      if (!hasCode(error, 'databricks_sign_in_ended')) {
        // Trouble says nothing about the sign-in, and the token in hand is good until its end.
        if (isUsable(signIn) && isTrouble(error)) return signIn;
        throw error;
      }
      // Where no lock can be had, another window may have used this refresh token first.
      const again = await find(workspace, person).catch(() => undefined);
      if (again !== undefined && again.refreshToken !== signIn.refreshToken) {
        if (isFresh(again)) return again;
        return renewOnce(workspace, again);
      }
      if (isUsable(signIn)) return signIn;
      await put(workspace.host, undefined).catch(() => undefined);
      throw error;
    }
  };

  const forget = async (workspace: SignInWorkspace, { refreshToken }: SignIn): Promise<boolean> =>
    refreshToken === undefined ? true : revokeUserToken(placeOf(workspace), refreshToken);

  const renewing = new Map<string, Promise<SignIn>>();

  return {
    async token(workspace, person, signal) {
      const signIn = await cancellable(find(workspace, person), signal);
      if (signIn === undefined) throw ownSignInNeeded(workspace.host);
      if (isFresh(signIn)) return bearerOf(signIn);
      const key = JSON.stringify([workspace.host, workspace.clientId, person.iss, person.sub]);
      let work = renewing.get(key);
      if (work === undefined) {
        work = lock.withLock(() => renew(workspace, person)).finally(() => renewing.delete(key));
        renewing.set(key, work);
      }
      try {
        // A renewal that has begun goes on to its end: its refresh token may be spent.
        return bearerOf(await cancellable(work, signal));
      } catch (error) {
        if (hasCode(error, 'session_locked') && isUsable(signIn)) return bearerOf(signIn);
        throw error;
      }
    },
    async lastsUntilMs(workspace, person) {
      const signIn = await find(workspace, person);
      return signIn?.refreshToken === undefined ? signIn?.expiresAtMs : Infinity;
    },
    async accept({ host, clientId }, { iss, sub }, token) {
      const signIn: SignIn = { id: randomUUID(), iss, sub, clientId, ...keptOf(token, clock.nowMs()) };
      masks.cover(signIn);
      try {
        await lock.withLock(() => put(host, signIn));
      } catch (cause) {
        throw new OamError(
          'session_not_kept',
          'Your session could not be kept in the secret storage of this machine. Unlock its keychain and sign in again.',
          { cause },
        );
      }
    },
    async signOut() {
      const kept = await readAll().catch((): SignIns => ({}));
      const ended = Object.entries(kept);
      for (const [, { id }] of ended) left.add(id);
      unstored.clear();
      try {
        await store.clear();
      } catch (cause) {
        throw new OamError(
          'session_not_deleted',
          'You are signed out, but your session could not be removed from the secret storage of this machine. Unlock its keychain, sign in and sign out again.',
          { cause },
        );
      }
      const told = ended.map(([host, signIn]) => forget({ host, clientId: signIn.clientId }, signIn));
      // A renewal of another window that was under way may store once more; a sign-in that comes meanwhile is not undone.
      const cleared = lock
        .withLock(async () => write(await readAll()))
        .catch((error: unknown) => {
          logger.warn('sign-ins at Databricks could not be looked for once more', { error: String(error) });
        });
      return {
        atDatabricks: cleared.then(() => Promise.all(told)).then((each) => each.every(Boolean)),
      };
    },
  };
}

function keptOf(
  { accessToken, expiresAtMs, refreshToken }: RenewableToken,
  nowMs: EpochMs,
): Pick<SignIn, 'accessToken' | 'expiresAtMs' | 'renewFromMs' | 'refreshToken'> {
  const ahead = Math.min(RENEW_AHEAD_MS, (expiresAtMs - nowMs) / 2);
  return { accessToken, expiresAtMs, renewFromMs: expiresAtMs - ahead, refreshToken };
}

function bearerOf({ accessToken, expiresAtMs }: SignIn): BearerToken {
  return { accessToken, expiresAtMs };
}

/** Masks the secrets of the last few sign-ins that were looked at, each once. */
function createMasks(redactor: Redactor): { cover(signIn: SignIn): void } {
  const remember = registerRecent(redactor, 32);
  const covered = new Map<string, string>();
  return {
    cover({ id, accessToken, refreshToken }) {
      if (covered.get(id) === accessToken) return;
      covered.set(id, accessToken);
      remember(accessToken);
      if (refreshToken !== undefined) remember(refreshToken);
    },
  };
}

/** Nothing is known then about the sign-in. */
function isTrouble(error: unknown): boolean {
  return ['unreachable', 'timed_out', 'databricks_unavailable', 'databricks_throttled'].some((code) =>
    hasCode(error, code),
  );
}

function ownSignInNeeded(host: string): OamError {
  return new OamError(
    'databricks_own_sign_in_needed',
    'This workspace wants a sign-in of its own, and you are not signed in there. Sign in to Databricks.',
    { detail: host },
  );
}

function signInEnded(host: string): OamError {
  return new OamError(
    'databricks_sign_in_ended',
    'Databricks has ended your sign-in there. Sign in to Databricks again.',
    { detail: host },
  );
}
