import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';

import { type Clock, type EpochMs, fromUnixSeconds } from '../../../domain/time.ts';
import type { AccountPrincipal, Directory } from '../account/directory.ts';
import { oauthFailure } from '../http/failures.ts';
import { IssuerKeys, type PolicyKeys } from './issuer-keys.ts';

/** Whom a federation policy believes, about whom. */
export interface FederationPolicy {
  readonly id: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly subjectClaim: string;
  /** Wanted for a service principal's policy; an account-wide one has none: its claim names the user. */
  readonly subject: string | undefined;
  readonly keys: PolicyKeys;
}

/** A subject token that was accepted. */
export interface AcceptedSubject {
  readonly principal: AccountPrincipal;
  /** The end of the subject token: the issued token ends no later. */
  readonly expiresAtMs: EpochMs;
}

/** Databricks takes these two and nothing else: no shared secrets, no unsigned tokens. */
const ALGORITHMS = ['RS256', 'ES256'];

/** How far the clocks of issuer and Databricks may be apart for `nbf` and `iat`. An expired token is expired. */
const CLOCK_SKEW_SECONDS = 5;

/** The account's federation policies, and the checks that they stand for. */
export class Federation {
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly issuerKeys: IssuerKeys;
  readonly accountWide: FederationPolicy[] = [];
  readonly byServicePrincipal = new Map<string, FederationPolicy[]>();

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.issuerKeys = new IssuerKeys(clock);
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

  #userNamedBy(payload: JWTPayload, policy: FederationPolicy): AccountPrincipal {
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
    const verify = (keys: JWTVerifyGetKey) =>
      jwtVerify(subjectToken, keys, {
        issuer: policy.issuer,
        audience: [...policy.audiences],
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'iss', 'aud'],
        currentDate: new Date(this.#clock.nowMs()),
        clockTolerance: CLOCK_SKEW_SECONDS,
      });
    const { payload } = await verify(await this.issuerKeys.of(policy.issuer, policy.keys)).catch(
      async (error: unknown) => {
        // The issuer may have a new key, or one that was started anew has given another key the old name.
        if (!isAboutKeys(error)) throw error;
        const keys = await this.issuerKeys.anew(policy.issuer, policy.keys);
        if (keys === undefined) throw error;
        return verify(keys);
      },
    );
    // The tolerance above is for `nbf`; a token past its end is refused to the second.
    if (endOf(payload) <= this.#clock.nowMs()) throw refused('token is expired');
    return payload;
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
  if (isAboutKeys(error)) return refused('signature verification failed');
  if (error instanceof errors.JOSEError) return refused('it is not a valid JWT');
  return error instanceof Error ? error : new Error(String(error));
}

function isAboutKeys(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey;
}
