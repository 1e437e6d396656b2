import {
  type BearerToken,
  exchangeSubjectToken,
  type HostTrust,
  requireTrusted,
} from '../databricks/index.ts';
import { OamError } from '../domain/errors.ts';
import type { PrincipalKey } from '../domain/principal.ts';
import { samePrincipal } from '../domain/principal.ts';
import { type Redactor, registerRecent } from '../domain/redaction.ts';
import type { Clock } from '../domain/time.ts';
import type { SubjectToken } from '../identity/index.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { PATH_ENDS } from './refusal.ts';

/** Mints tokens of one principal for one workspace. Caching and single flight are the broker's. */
export interface TokenSource {
  /**
   * A fresh token.
   *
   * @throws {OamError} with a code of `PATH_ENDS` when there will never be one again; any other code is for now.
   */
  token(signal?: AbortSignal): Promise<BearerToken>;
}

/** The person's own sign-in at a workspace, in the place of an exchange. */
export interface OwnSignIn {
  /** Who is signed in to OAM. */
  person(signal?: AbortSignal): Promise<PrincipalKey>;
  /** Their token for the workspace. */
  token(person: PrincipalKey, signal?: AbortSignal): Promise<BearerToken>;
}

/** What {@link personTokenSource} needs. */
export interface PersonTokenOptions {
  /** Origin of the workspace. */
  readonly host: string;
  /** The session; its subject token (`aud` = Databricks' federation policy) goes to the workspace only. */
  readonly session: {
    subjectToken(signal?: AbortSignal): Promise<SubjectToken>;
  };
  /**
   * Where the company has no federation policy: the person's own sign-in there. Asked at each token, because the person
   * may agree to a change; undefined where ID tokens are exchanged.
   */
  readonly ownSignIn?: () => OwnSignIn | undefined;
  readonly trust: HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly redactor: Redactor;
  /** The person whose tokens these are; unless given, whoever is signed in when the first one is minted. */
  readonly principal?: PrincipalKey;
  /** The id of the group whose rights the tokens are to have in the place of the person's own (role assumption). */
  readonly assumeGroup?: string;
}

/**
 * Tokens of the person who is signed in: by exchange of their ID token at the workspace, or from their own sign-in there.
 *
 * @throws {OamError} from `token()`: `principal_changed` once somebody else is signed in;
 * the session's `not_signed_in`, `session_expired`, `identity_provider_unavailable`; those of
 * `exchangeSubjectToken` or of the own sign-in; `role_needs_exchange`.
 */
export function personTokenSource(options: PersonTokenOptions): TokenSource {
  const remember = registerRecent(options.redactor);
  let person = options.principal;
  const hold = (present: PrincipalKey): PrincipalKey => {
    person ??= present;
    if (!samePrincipal(person, present)) {
      throw new OamError('principal_changed', PATH_ENDS.principal_changed.sentence);
    }
    return person;
  };

  const fromOwnSignIn = async (
    ownSignIn: OwnSignIn,
    signal: AbortSignal | undefined,
  ): Promise<BearerToken> => {
    if (options.assumeGroup !== undefined) {
      throw new OamError(
        'role_needs_exchange',
        'This role is assumed by an exchange of your sign-in, which this workspace does not have. Ask the administrator of OAM to change the kind of the role.',
      );
    }
    // It is the broker's last gate before a token leaves: no host is believed because something is kept for it.
    requireTrusted(options.trust, options.host);
    return ownSignIn.token(hold(await ownSignIn.person(signal)), signal);
  };

  const byExchange = async (signal: AbortSignal | undefined): Promise<BearerToken> => {
    const subject = await options.session.subjectToken(signal);
    hold(subject.principal);
    const token = await exchangeSubjectToken({
      host: options.host,
      subjectToken: subject.token,
      trust: options.trust,
      transport: options.transport,
      clock: options.clock,
      ...(options.assumeGroup !== undefined && { assumeGroup: options.assumeGroup }),
      ...(signal && { signal }),
    });
    remember(token.accessToken);
    return token;
  };

  return {
    token(signal) {
      const ownSignIn = options.ownSignIn?.();
      return ownSignIn === undefined ? byExchange(signal) : fromOwnSignIn(ownSignIn, signal);
    },
  };
}
