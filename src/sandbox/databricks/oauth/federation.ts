import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import * as z from 'zod/mini';

import { type Clock, fromUnixSeconds, type EpochMs, SECOND_MS } from '../../../domain/time.ts';
import type { Directory, Principal } from '../account/directory.ts';
import { oauthFailure } from '../http/failures.ts';

/** Whom a federation policy believes, about whom. */
export interface FederationPolicy {
  readonly id: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly subjectClaim: string;
  /** Wanted for a service principal's policy; an account-wide one has none: its claim names the user. */
  readonly subject: string | undefined;
}

/** A subject token that was accepted. */
export interface AcceptedSubject {
  readonly principal: Principal;
  /** The end of the subject token: the issued token ends no later. */
  readonly expiresAtMs: EpochMs;
}

/** Databricks takes these two and nothing else: no shared secrets, no unsigned tokens. */
const ALGORITHMS = ['RS256', 'ES256'];

/** How far the clocks of issuer and Databricks may be apart for `nbf` and `iat`. An expired token is expired. */
const CLOCK_SKEW_SECONDS = 5;

const DISCOVERY_TIMEOUT_MS = 5 * SECOND_MS;

type IssuerKeys = ReturnType<typeof createRemoteJWKSet>;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** The account's federation policies, and the checks that they stand for. */
export class Federation {
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly #keys = new Map<string, IssuerKeys>();
  readonly accountWide: FederationPolicy[] = [];
  readonly byServicePrincipal = new Map<string, FederationPolicy[]>();

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /**
   * Who the subject token stands for: the service principal whose policy accepts it when a client id is given, else
   * the user whom an account-wide policy names. Throws OAuth's `invalid_grant` or `invalid_client`.
   */
  async accept(subjectToken: string, clientId: string | undefined): Promise<AcceptedSubject> {
    const issuer = readUnverified(subjectToken);
    if (clientId === undefined) {
      const policies = this.accountWide.filter((policy) => policy.issuer === issuer);
      const { payload, policy } = await this.#verify(subjectToken, policies);
      return { principal: this.#userNamedBy(payload, policy), expiresAtMs: endOf(payload) };
    }
    const principal = this.#directory.servicePrincipalByApplicationId(clientId);
    if (principal?.active !== true)
      throw oauthFailure('invalid_client', 'Client is not known to the account.', 401);
    const policies = (this.byServicePrincipal.get(principal.id) ?? []).filter(
      (policy) => policy.issuer === issuer,
    );
    const { payload, policy } = await this.#verify(subjectToken, policies);
    if (payload[policy.subjectClaim] !== policy.subject) {
      throw refused(`claim '${policy.subjectClaim}' does not match the subject of the federation policy`);
    }
    return { principal, expiresAtMs: endOf(payload) };
  }

  #userNamedBy(payload: JWTPayload, policy: FederationPolicy): Principal {
    const claim = payload[policy.subjectClaim];
    if (typeof claim !== 'string') throw refused(`claim '${policy.subjectClaim}' is missing`);
    const user = this.#directory.userByName(claim);
    if (user?.active !== true) throw refused(`no active user for claim '${policy.subjectClaim}'`);
    return user;
  }

  async #verify(
    subjectToken: string,
    policies: readonly FederationPolicy[],
  ): Promise<{ payload: JWTPayload; policy: FederationPolicy }> {
    if (policies.length === 0) throw refused('no federation policy matches its issuer');
    let last: unknown;
    for (const policy of policies) {
      try {
        const payload = await this.#check(subjectToken, policy);
        return { payload, policy };
      } catch (error) {
        last = error;
      }
    }
    throw asRefusal(last);
  }

  async #check(subjectToken: string, policy: FederationPolicy): Promise<JWTPayload> {
    const keys = await this.#keysOf(policy.issuer);
    const verify = () =>
      jwtVerify(subjectToken, keys, {
        issuer: policy.issuer,
        audience: [...policy.audiences],
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'iss', 'aud'],
        currentDate: new Date(this.#clock.nowMs()),
        clockTolerance: CLOCK_SKEW_SECONDS,
      });
    const { payload } = await verify().catch(async (error: unknown) => {
      // An issuer that was started anew may give a new key the old name.
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      await keys.reload();
      return verify();
    });
    // The tolerance above is for `nbf`; a token past its end is refused to the second.
    if (endOf(payload) <= this.#clock.nowMs()) throw refused('token is expired');
    return payload;
  }

  /** The issuer's keys, found the way that Databricks does it for a policy without keys of its own. */
  async #keysOf(issuer: string): Promise<IssuerKeys> {
    const known = this.#keys.get(issuer);
    if (known !== undefined) return known;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    let discovery: z.infer<typeof Discovery>;
    try {
      const answer = await fetch(url, {
        redirect: 'error',
        signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS),
      });
      discovery = Discovery.parse(await answer.json());
    } catch {
      throw refused('the keys of its issuer could not be fetched');
    }
    if (discovery.issuer !== issuer) throw refused('its issuer publishes another name for itself');
    const keys = createRemoteJWKSet(new URL(discovery.jwks_uri), { cooldownDuration: 0 });
    this.#keys.set(issuer, keys);
    return keys;
  }
}

function readUnverified(subjectToken: string): string {
  try {
    const { alg } = decodeProtectedHeader(subjectToken);
    if (alg === undefined || !ALGORITHMS.includes(alg)) {
      throw refused(`signing algorithm ${alg ?? 'none'} is not supported`);
    }
    const { iss } = decodeJwt(subjectToken);
    if (iss === undefined) throw refused("claim 'iss' is missing");
    return iss;
  } catch (error) {
    throw error instanceof TypeError ? refused('it is not a valid JWT') : asRefusal(error);
  }
}

function endOf(payload: JWTPayload): EpochMs {
  return fromUnixSeconds(payload.exp ?? 0);
}

function refused(why: string): Error {
  return oauthFailure('invalid_grant', `Subject token was not accepted: ${why}.`);
}

function asRefusal(error: unknown): Error {
  if (error instanceof errors.JWTExpired) return refused('token is expired');
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(`claim '${error.claim}' failed its check`);
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return refused('signature verification failed');
  }
  // What fetching the keys throws when there is no answer, or none of that shape.
  if (
    error instanceof TypeError ||
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid
  ) {
    return refused('the keys of its issuer could not be fetched');
  }
  if (error instanceof errors.JOSEError) return refused('it is not a valid JWT');
  return error instanceof Error ? error : new Error(String(error));
}
