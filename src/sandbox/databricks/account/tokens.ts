import { randomBytes, randomUUID } from 'node:crypto';

import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

import { type Clock, DAY_MS, type EpochMs, fromUnixSeconds, toUnixSeconds } from '../../../domain/time.ts';
import type { Place } from '../places.ts';
import { nameOf, type Principal } from './directory.ts';

/** A token that was issued. */
export interface IssuedToken {
  readonly id: string;
  readonly principalId: string;
  /** Where it is good. One of the account is good everywhere, one of a workspace in that workspace only. */
  readonly place: Place;
  readonly kind: 'oauth' | 'pat';
  /** The group whose rights the token has in the place of its principal's own. */
  readonly assumedGroupId?: string | undefined;
  readonly createdAtMs: EpochMs;
  /** Infinity for a personal access token without an end. */
  readonly expiresAtMs: EpochMs;
  readonly comment: string;
  readonly createdById: string;
}

const KEY_ID = 'databricks-sandbox-1';

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** One for the process: making an RSA key takes longer than everything else at a start. */
let signingKey: Promise<SigningKey> | undefined;

async function makeSigningKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' } };
}

/** All tokens of the account. A token is looked up, so that it can be taken back. */
export class TokenBook {
  readonly #clock: Clock;
  readonly #key: CryptoKey;
  readonly #tokens = new Map<string, IssuedToken>();
  readonly #usedAtMs = new Map<string, EpochMs>();
  /** Personal access tokens that were taken back, and until when lists show them still. */
  readonly #leaving = new Map<IssuedToken, EpochMs>();
  /** How long lists take to show that a personal access token was made or taken back, in milliseconds. */
  listLagMs = 0;
  readonly jwks: { readonly keys: readonly JWK[] };

  private constructor(clock: Clock, key: CryptoKey, jwk: JWK) {
    this.#clock = clock;
    this.#key = key;
    this.jwks = { keys: [jwk] };
  }

  static async create(clock: Clock): Promise<TokenBook> {
    signingKey ??= makeSigningKey();
    const { privateKey, jwk } = await signingKey;
    return new TokenBook(clock, privateKey, jwk);
  }

  /** An OAuth access token: a JWT, as Databricks' are, whose `exp` is the real end. */
  async issueOAuth(o: {
    principal: Principal;
    place: Place;
    issuer: string;
    clientId: string;
    scope: string;
    expiresAtMs: EpochMs;
    assumedGroupId?: string | undefined;
  }): Promise<string> {
    const id = randomUUID();
    const nowMs = this.#clock.nowMs();
    const token = await new SignJWT({ client_id: o.clientId, scope: o.scope })
      .setProtectedHeader({ alg: 'RS256', kid: KEY_ID, typ: 'at+jwt' })
      .setIssuer(o.issuer)
      .setSubject(nameOf(o.principal))
      .setIssuedAt(toUnixSeconds(nowMs))
      .setExpirationTime(toUnixSeconds(o.expiresAtMs))
      .setJti(id)
      .sign(this.#key);
    this.#tokens.set(token, {
      id,
      principalId: o.principal.id,
      place: o.place,
      kind: 'oauth',
      assumedGroupId: o.assumedGroupId,
      createdAtMs: nowMs,
      expiresAtMs: fromUnixSeconds(toUnixSeconds(o.expiresAtMs)),
      comment: '',
      createdById: o.principal.id,
    });
    return token;
  }

  /** A personal access token. */
  issuePersonal(o: {
    principal: Principal;
    createdBy: Principal;
    place: Place;
    lifetimeSeconds: number | undefined;
    comment: string;
    ageSeconds?: number;
  }): { readonly token: string; readonly info: IssuedToken } {
    const token = `dapi${randomBytes(16).toString('hex')}`;
    const nowMs = this.#clock.nowMs() - (o.ageSeconds ?? 0) * 1_000;
    const info: IssuedToken = {
      id: randomBytes(32).toString('hex'),
      principalId: o.principal.id,
      place: o.place,
      kind: 'pat',
      createdAtMs: nowMs,
      expiresAtMs: o.lifetimeSeconds === undefined ? Infinity : nowMs + o.lifetimeSeconds * 1_000,
      comment: o.comment,
      createdById: o.createdBy.id,
    };
    this.#tokens.set(token, info);
    return { token, info };
  }

  /** The token, if it is good at the place now. */
  find(token: string, place: Place): IssuedToken | undefined {
    const found = this.#tokens.get(token);
    if (found === undefined || found.expiresAtMs <= this.#clock.nowMs()) return undefined;
    if (found.place !== place && !(found.place === 'account' && found.kind === 'oauth')) return undefined;
    if (found.kind === 'pat') this.#usedAtMs.set(found.id, this.#clock.nowMs());
    return found;
  }

  /** The day on which a personal access token was last used, in epoch milliseconds. */
  lastUsedDay(id: string): EpochMs | undefined {
    const usedAtMs = this.#usedAtMs.get(id);
    return usedAtMs === undefined ? undefined : usedAtMs - (usedAtMs % DAY_MS);
  }

  /** The personal access tokens of a workspace that have not ended. */
  personal(place: Place): IssuedToken[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#tokens.values()].filter(
      (token) => token.kind === 'pat' && token.place === place && token.expiresAtMs > nowMs,
    );
  }

  /** {@link personal} as lists show it by now. */
  listed(place: Place): IssuedToken[] {
    const nowMs = this.#clock.nowMs();
    for (const [info, untilMs] of this.#leaving) if (untilMs <= nowMs) this.#leaving.delete(info);
    const leaving = [...this.#leaving.keys()].filter((info) => info.place === place);
    const shown = this.personal(place).filter((info) => info.createdAtMs + this.listLagMs <= nowMs);
    return [...shown, ...leaving];
  }

  /** Takes a personal access token back: it is worth nothing from now on. */
  revoke(id: string): void {
    for (const [token, info] of this.#tokens) {
      if (info.id !== id) continue;
      this.#tokens.delete(token);
      if (this.listLagMs > 0) this.#leaving.set(info, this.#clock.nowMs() + this.listLagMs);
    }
  }
}
