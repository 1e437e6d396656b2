import { OamError, hasCode } from '../domain/errors.ts';
import { samePrincipal } from '../domain/principal.ts';
import { SECOND_MS } from '../domain/time.ts';
import { cancellable } from './cancellation.ts';
import {
  databricksSignInNeeded,
  isUnavailable,
  notSignedIn,
  principalChanged,
  sessionExpired,
} from './failures.ts';
import { type Door, refreshMoments, tokenFor } from './due-refresh.ts';
import { refreshSession, revokeSession, revokeUnlessSamePerson } from './refresh.ts';
import { maskSessions } from './session-masks.ts';
import { parseSession, principalOf, serializeSession, type Session } from './session.ts';
import type { SessionKeeper, SessionKeeperOptions } from './session-keeper.ts';
import { type SessionState, sessionIn } from './session-state.ts';

/** A token with less left than this is not handed out: it would run out on its way. */
const MINIMUM_LEFT_MS = 5 * SECOND_MS;

/**
 * Creates the keeper of a session. It reads the store with the first question.
 *
 * @example
 * ```ts
 * const keeper = createSessionKeeper({ store, lock, identityProvider, clock, logger, redactor });
 * await keeper.accept(await signInWithLoopback(await identityProvider(), { openBrowser }));
 * const token = await keeper.accessToken();
 * ```
 */
export function createSessionKeeper(options: SessionKeeperOptions): SessionKeeper {
  const { store, lock, clock, logger } = options;
  const listeners = new Set<(session: Session | undefined) => void>();
  const masks = maskSessions(options.redactor);
  let state: SessionState = { kind: 'unread' };
  const refreshing = new Map<Door, Promise<Session>>();
  /** Set while the store holds an older session than the memory does, because it could not be written. */
  let behind: Session | undefined;
  /** Counts sign-ins and sign-outs of this window, so that a refresh that was under way cannot undo one. */
  let generation = 0;
  /** The session that was signed out of: the store may hold it for a moment longer, or for good where it is broken. */
  let left: string | undefined;
  /** The sign-in that the present one took the place of: another window may be about to store a refresh of it. */
  let overtaken: { readonly signInId: string | undefined } | undefined;

  const enter = (next: SessionState): void => {
    const before = sessionIn(state);
    const after = sessionIn(next);
    // What says the same stays the same object, so that nobody takes it for news.
    if (before && after && serializeSession(before) === serializeSession(after)) return;
    state = next;
    if (after) masks.cover(after);
    if (before === after) return;
    for (const listener of [...listeners]) {
      try {
        listener(after);
      } catch (error) {
        // What has to be stored is stored, whatever a listener makes of it.
        logger.error('a change of the session could not be followed', { error: String(error) });
      }
    }
  };

  const readStore = async (): Promise<Session | undefined> => {
    const text = await store.read();
    if (text === undefined) return undefined;
    const session = parseSession(text);
    if (!session) logger.warn('the stored session cannot be read; sign in again');
    return session;
  };

  const load = async (): Promise<SessionState> => {
    if (state.kind === 'unread') {
      const session = await readStore();
      // Somebody may have signed in while the store was read.
      if (sessionKind() === 'unread')
        enter(session ? { kind: 'signed-in', session } : { kind: 'signed-out' });
    }
    return state;
  };
  const sessionKind = (): SessionState['kind'] => state.kind;

  const dueAtMs = refreshMoments(options.random ?? Math.random);

  /** The subject token that the provider did not renew: asking again for the same would only rotate the session. */
  let unrenewed: string | undefined;

  const fresh = (session: Session, door: Door): boolean => clock.nowMs() < dueAtMs(session, door);

  const unlessOvertaken = (stored: Session | undefined): Session | undefined =>
    isOvertaken(stored) ? sessionIn(state) : stored;

  /** What to refresh: the store's session, which another window may have renewed, unless the store is behind. */
  const newest = async (): Promise<Session | undefined> =>
    behind ? sessionIn(state) : readStore().then(unlessOvertaken, () => sessionIn(state));

  const isOvertaken = (stored: Session | undefined): boolean =>
    stored !== undefined && overtaken !== undefined && stored.signInId === overtaken.signInId;

  /** Stores the present sign-in once more, when no window refreshes any more, where the former one came back. */
  const prevail = async (): Promise<void> => {
    const begunIn = generation;
    await lock.withLock(async () => {
      const stored = await readStore();
      const present = sessionIn(state);
      if (generation !== begunIn || present === undefined || !isOvertaken(stored)) return;
      await store.write(serializeSession(present));
    });
  };

  const write = async (session: Session, former: Session): Promise<void> => {
    try {
      await store.write(serializeSession(session));
      behind = undefined;
    } catch (error) {
      behind ??= former;
      logger.warn('the session could not be stored; it ends with this window', { error: codeOf(error) });
    }
  };

  const refreshOnce = async (session: Session): Promise<Session> => {
    const idp = await options.identityProvider();
    const begunIn = generation;
    const refreshed = await refreshSession(idp, session);
    if (refreshed.idToken === session.idToken) unrenewed = refreshed.idToken;
    const expected = behind ?? session;
    const stored = await readStore().catch(() => expected);
    if (generation !== begunIn) {
      const present = sessionIn(state);
      await revokeUnlessSamePerson(idp, refreshed, present);
      if (!present) throw notSignedIn();
      return present;
    }
    if (stored?.refreshToken !== expected.refreshToken) {
      // Another window ended or replaced the session while the provider was asked: what it brought must not undo that.
      await revokeUnlessSamePerson(idp, refreshed, stored);
      behind = undefined;
      enter(stored ? { kind: 'signed-in', session: stored } : { kind: 'signed-out' });
      if (!stored) throw notSignedIn();
      return stored;
    }
    enter({ kind: 'signed-in', session: refreshed });
    await write(refreshed, session);
    return refreshed;
  };

  const refresh = async (door: Door): Promise<Session> => {
    const session = await newest();
    if (!session) {
      enter({ kind: 'signed-out' });
      throw notSignedIn();
    }
    if (fresh(session, door)) {
      enter({ kind: 'signed-in', session });
      return session;
    }
    try {
      return await refreshOnce(session);
    } catch (error) {
      if (!hasCode(error, 'session_expired')) throw error;
      // A window on another machine shares the secret but not the lock: it may have used this refresh token first.
      const again = await readStore().catch(() => undefined);
      const replaced = again && again.refreshToken !== (behind ?? session).refreshToken;
      if (replaced) {
        if (fresh(again, door)) {
          enter({ kind: 'signed-in', session: again });
          return again;
        }
        try {
          return await refreshOnce(again);
        } catch (second) {
          if (!hasCode(second, 'session_expired')) throw second;
        }
      }
      await expire(replaced ? again : session);
      throw sessionExpired();
    }
  };

  const expire = async (session: Session): Promise<void> => {
    const stored = await readStore().catch(() => undefined);
    const isStored = stored?.refreshToken === (behind ?? session).refreshToken;
    behind = undefined;
    left = stored && isStored ? serializeSession(stored) : undefined;
    // Before the store tells of it: what is read then would make a plain sign-out of it, which nobody is told.
    enter({ kind: 'expired', reason: sessionExpired() });
    if (isStored) {
      await store.clear().catch((error: unknown) => {
        logger.warn('the session store cannot be cleared', { error: codeOf(error) });
      });
    }
    logger.info('the identity provider has ended the session');
  };

  /** One refresh at a time for each door; the second door then finds what the first one brought. */
  const refreshFor = (door: Door): Promise<Session> => {
    const running = refreshing.get(door);
    if (running) return running;
    const started = lock
      .withLock(() => refresh(door))
      .finally(() => {
        refreshing.delete(door);
      });
    refreshing.set(door, started);
    return started;
  };

  const withOldSubject = (session: Session): Session => {
    if (session.idTokenExpiresAtMs - clock.nowMs() < MINIMUM_LEFT_MS) throw databricksSignInNeeded();
    return session;
  };

  const usable = async (door: Door, signal: AbortSignal | undefined): Promise<Session> => {
    const now = await cancellable(load(), signal);
    if (now.kind === 'expired') throw now.reason;
    if (now.kind !== 'signed-in') throw notSignedIn();
    if (fresh(now.session, door)) return now.session;
    if (door === 'subject' && now.session.idToken === unrenewed) return withOldSubject(now.session);

    try {
      const session = await cancellable(refreshFor(door), signal);
      const renewed = tokenFor(session, door);
      // A clock that is ahead makes every token look old; a new one is good all the same.
      if (renewed.expiresAtMs > clock.nowMs() || renewed.token !== tokenFor(now.session, door).token) {
        return session;
      }
      if (door === 'subject') throw databricksSignInNeeded();
      throw sessionExpired('the identity provider gave no new token');
    } catch (error) {
      const kept = sessionIn(state);
      const left = kept ? tokenFor(kept, door).expiresAtMs - clock.nowMs() : 0;
      if (kept && left >= MINIMUM_LEFT_MS && (isUnavailable(error) || hasCode(error, 'session_locked'))) {
        return kept;
      }
      throw error;
    }
  };

  /** Gives back what was issued to a session, and tells the provider that it is over; both at best effort. */
  const revoke = async (session: Session): Promise<boolean> => {
    const [atProvider] = await Promise.all([tellProvider(session), giveBack(session)]);
    return atProvider;
  };

  const giveBack = async (session: Session): Promise<void> => {
    try {
      await options.giveBack?.(session);
    } catch (error) {
      logger.info('what was issued to the session is not given back before its access ends', {
        error: codeOf(error),
      });
    }
  };

  const tellProvider = async (session: Session): Promise<boolean> => {
    try {
      if (await revokeSession(await options.identityProvider(), session)) return true;
      logger.info('the identity provider was not told of the sign-out');
    } catch (error) {
      logger.info('the identity provider was not told of the sign-out', { error: codeOf(error) });
    }
    return false;
  };

  const leave = async (next: SessionState): Promise<{ readonly atProvider: Promise<boolean> }> => {
    const session = sessionIn(state.kind === 'unread' ? await load() : state);
    generation += 1;
    behind = undefined;
    overtaken = undefined;
    left = session && serializeSession(session);
    enter(next);
    try {
      await store.clear();
    } catch (error) {
      if (session) await revoke(session);
      throw new OamError(
        'session_not_deleted',
        'You are signed out, but your session could not be removed from the secret storage of this machine. Unlock its keychain, sign in and sign out again.',
        { cause: error },
      );
    }
    return { atProvider: session ? revoke(session) : Promise.resolve(false) };
  };

  return {
    get state() {
      return state;
    },
    get refreshAtMs() {
      const session = sessionIn(state);
      return session && dueAtMs(session, 'access');
    },
    async current() {
      return sessionIn(await load());
    },
    async accept(session) {
      const former = await newest();
      masks.cover(session);
      try {
        await store.write(serializeSession(session));
      } catch (error) {
        throw new OamError(
          'session_not_kept',
          'Your session could not be kept in the secret storage of this machine. Unlock its keychain and sign in again.',
          { cause: error },
        );
      }
      behind = undefined;
      left = undefined;
      generation += 1;
      const isOther = former !== undefined && former.signInId !== session.signInId;
      overtaken = isOther ? { signInId: former.signInId } : undefined;
      enter({ kind: 'signed-in', session });
      if (isOther) {
        prevail().catch((error: unknown) => {
          logger.warn('a new sign-in could not be looked after once more', { error: codeOf(error) });
        });
      }
      const isReplaced = former && !samePrincipal(principalOf(former), principalOf(session));
      return { formerAtProvider: isReplaced ? revoke(former) : Promise.resolve(false) };
    },
    async accessToken(signal, person) {
      const session = await usable('access', signal);
      if (person !== undefined && !samePrincipal(principalOf(session), person)) throw principalChanged();
      return session.accessToken;
    },
    async person(signal) {
      try {
        return principalOf(await usable('access', signal));
      } catch (error) {
        const session = sessionIn(state);
        if (session && isUnavailable(error)) return principalOf(session);
        throw error;
      }
    },
    async subjectToken(signal) {
      const session = await usable('subject', signal);
      return { ...tokenFor(session, 'subject'), principal: principalOf(session) };
    },
    async reload() {
      const stored = await readStore();
      if (isOvertaken(stored)) {
        await prevail();
        return;
      }
      const session = stored && serializeSession(stored) === left ? undefined : stored;
      if (behind && session?.refreshToken === behind.refreshToken) return;
      behind = undefined;
      if (session) enter({ kind: 'signed-in', session });
      else if (state.kind !== 'expired') enter({ kind: 'signed-out' });
    },
    signOut: () => leave({ kind: 'signed-out' }),
    end: (reason) => leave({ kind: 'expired', reason }),
    sweep: () => lock.withLock(() => store.clear()),
    onDidChange(listener) {
      listeners.add(listener);
      return {
        [Symbol.dispose]: () => {
          listeners.delete(listener);
        },
      };
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof OamError ? error.code : error instanceof Error ? error.name : 'unknown';
}
