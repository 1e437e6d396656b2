import type { OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { PrincipalKey } from '../domain/principal.ts';
import type { Redactor } from '../domain/redaction.ts';
import type { Clock, EpochMs } from '../domain/time.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import type { RefreshLock } from './refresh-lock.ts';
import type { Session, SessionStore, SubjectToken } from './session.ts';
import type { SessionState } from './session-state.ts';

/** What the keeper needs. */
export interface SessionKeeperOptions {
  readonly store: SessionStore;
  readonly lock: RefreshLock;
  /** Asked only when the network is needed; may fail with `identity_provider_unavailable`. */
  readonly identityProvider: () => Promise<DiscoveredIdentityProvider>;
  /** Gives back what was issued to a session that is left, while its access token is good; may fail. */
  readonly giveBack?: (session: Session) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
  /** A number from 0 to below 1: how early this window refreshes among the others; at random unless given. */
  readonly random?: () => number;
}

/** Keeps the one session of this machine: in memory, in its store, and fresh. */
export interface SessionKeeper {
  /** What is known without waiting. */
  readonly state: SessionState;
  /** When the access token is due for a refresh; undefined while nobody is known to be signed in. */
  readonly refreshAtMs: EpochMs | undefined;
  /** Who is signed in, without asking the network. */
  current(): Promise<Session | undefined>;
  /**
   * Keeps the session of a sign-in that has just succeeded. Where it takes the place of somebody else's, that one is
   * over in the order of a sign-out: in the store, here, and then the provider is asked to forget it. `formerAtProvider`
   * tells whether it did. A former session of the same person is left to run out: many providers end a person's new
   * tokens together with their old ones.
   *
   * @throws {OamError} `session_not_kept` where the store does not take it; who was signed in still is.
   */
  accept(session: Session): Promise<{ readonly formerAtProvider: Promise<boolean> }>;
  /**
   * The access token for the control plane, refreshed ahead of its end (a minute and a bit, or half its life if that is less).
   *
   * @throws {OamError} `not_signed_in`; `session_expired` where the provider has ended the session;
   *   `identity_provider_unavailable` where it cannot be asked and the token has run out (nobody is signed out then);
   *   `principal_changed` where it is not `person` who is signed in.
   * @param person Whose token it has to be: another window may have signed somebody else in.
   */
  accessToken(signal?: AbortSignal, person?: PrincipalKey): Promise<string>;
  /**
   * Who is signed in, once it is known that the provider has not ended the session: it is asked where the access token
   * is due. A provider that is away is no reason to doubt it.
   *
   * @throws {OamError} `not_signed_in`, `session_expired`.
   */
  person(signal?: AbortSignal): Promise<PrincipalKey>;
  /**
   * The subject token for a workspace's token endpoint, refreshed in the same way and with the same errors; besides,
   * `databricks_sign_in_needed` where the provider gives none with a refresh and the one of the sign-in has run out.
   * The access token goes on being refreshed then.
   */
  subjectToken(signal?: AbortSignal): Promise<SubjectToken>;
  /** To be called when the store was changed elsewhere: another window signed in, refreshed or signed out. */
  reload(): Promise<void>;
  /**
   * Forgets the session here, in the very call, then in the store, then asks the provider to forget it too.
   * `atProvider` tells whether it did, and is waited for by whoever wants to know.
   *
   * @throws {OamError} `session_not_deleted` where the store still holds it. It is over here all the same.
   */
  signOut(): Promise<{ readonly atProvider: Promise<boolean> }>;
  /** Ends the session as {@link SessionKeeper.signOut} does, for a reason that is not the person's: they are told it. */
  end(reason: OamError): Promise<{ readonly atProvider: Promise<boolean> }>;
  /**
   * Clears the store once no other window refreshes any more, whose answer may come after a sign-out. To be called where
   * nobody can sign in meanwhile.
   */
  sweep(): Promise<void>;
  /** Called with the new session after each change, and with nothing when there is none any more. */
  onDidChange(listener: (session: Session | undefined) => void): Disposable;
}
