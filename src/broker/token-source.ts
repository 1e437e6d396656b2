import { type BearerToken, exchangeSubjectToken, type HostTrust } from '../databricks/index.ts';
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

/** What {@link personTokenSource} needs. */
export interface PersonTokenOptions {
  /** Origin of the workspace. */
  readonly host: string;
  /** The session; its subject token (`aud` = Databricks' federation policy) goes to the workspace only. */
  readonly session: {
    subjectToken(signal?: AbortSignal): Promise<SubjectToken>;
  };
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
 * Tokens of the person who is signed in, by exchange of their ID token at the workspace.
 *
 * @throws {OamError} from `token()`: `principal_changed` once somebody else is signed in;
 * the session's `not_signed_in`, `session_expired`, `identity_provider_unavailable`; those of
 * `exchangeSubjectToken`.
 */
export function personTokenSource(options: PersonTokenOptions): TokenSource {
  const remember = registerRecent(options.redactor);
  let person = options.principal;
  return {
    async token(signal) {
      const subject = await options.session.subjectToken(signal);
      person ??= subject.principal;
      if (!samePrincipal(person, subject.principal)) {
        throw new OamError('principal_changed', PATH_ENDS.principal_changed.sentence);
      }
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
    },
  };
}
