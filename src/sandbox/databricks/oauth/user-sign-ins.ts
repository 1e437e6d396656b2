import { createHash, randomBytes } from 'node:crypto';

import { type Clock, type EpochMs, MINUTE_MS } from '../../../domain/time.ts';
import type { Directory, User } from '../account/directory.ts';
import { oauthFailure } from '../http/failures.ts';

/** A person's own sign-in (U2M) that waits for them to type their password. */
export interface PendingSignIn {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly state: string;
  readonly scope: string;
  readonly expiresAtMs: EpochMs;
}

interface Code extends PendingSignIn {
  readonly userId: string;
}

interface Refresh {
  readonly userId: string;
  readonly clientId: string;
  readonly scope: string;
}

/** What a code or a refresh token was good for. */
export interface Redeemed {
  readonly user: User;
  readonly clientId: string;
  readonly scope: string;
}

const CODE_LIFE_MS = 5 * MINUTE_MS;

/** The public client that Databricks' own tools sign in with; it redirects to this machine only. */
const PUBLIC_CLIENTS: ReadonlySet<string> = new Set(['databricks-cli']);

/** Sign-ins of people at Databricks itself: authorization code with PKCE, single-use refresh tokens. */
export class UserSignIns {
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly #pending = new Map<string, PendingSignIn>();
  readonly #codes = new Map<string, Code>();
  readonly #refreshTokens = new Map<string, Refresh>();

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** True if the client may be sent to the address. A wrong one must not be redirected to, not even with an error. */
  knows(clientId: string | null, redirectUri: string | null): boolean {
    const url = URL.parse(redirectUri ?? '');
    return (
      clientId !== null &&
      PUBLIC_CLIENTS.has(clientId) &&
      url?.protocol === 'http:' &&
      (url.hostname === 'localhost' || url.hostname === '127.0.0.1') &&
      url.hash === ''
    );
  }

  begin(request: Omit<PendingSignIn, 'expiresAtMs'>): string {
    const id = randomBytes(16).toString('base64url');
    this.#pending.set(id, { ...request, expiresAtMs: this.#clock.nowMs() + CODE_LIFE_MS });
    return id;
  }

  pending(id: string): PendingSignIn | undefined {
    const found = this.#pending.get(id);
    return found === undefined || found.expiresAtMs <= this.#clock.nowMs() ? undefined : found;
  }

  /** The address to send the person back to, with a code; undefined for a wrong name or password. */
  complete(id: string, pending: PendingSignIn, userName: string, password: string): string | undefined {
    const user = this.#directory.userByName(userName);
    if (user?.active !== true || user.password === undefined || user.password !== password) return undefined;
    this.#pending.delete(id);
    const code = randomBytes(24).toString('base64url');
    this.#codes.set(code, { ...pending, userId: user.id, expiresAtMs: this.#clock.nowMs() + CODE_LIFE_MS });
    const url = new URL(pending.redirectUri);
    url.searchParams.set('code', code);
    if (pending.state !== '') url.searchParams.set('state', pending.state);
    return url.href;
  }

  redeemCode(o: {
    readonly code: string;
    readonly codeVerifier: string;
    readonly redirectUri: string;
    readonly clientId: string;
  }): Redeemed {
    const code = this.#codes.get(o.code);
    // Single use, also when it is used wrongly.
    this.#codes.delete(o.code);
    const challenge = createHash('sha256').update(o.codeVerifier).digest('base64url');
    if (
      code === undefined ||
      code.expiresAtMs <= this.#clock.nowMs() ||
      code.clientId !== o.clientId ||
      code.redirectUri !== o.redirectUri ||
      code.codeChallenge !== challenge
    ) {
      throw oauthFailure('invalid_grant', 'The authorization code is invalid, expired or was used before.');
    }
    return { user: this.#activeUser(code.userId), clientId: code.clientId, scope: code.scope };
  }

  issueRefreshToken(userId: string, clientId: string, scope: string): string {
    const token = `doau${randomBytes(24).toString('hex')}`;
    this.#refreshTokens.set(token, { userId, clientId, scope });
    return token;
  }

  redeemRefreshToken(token: string, clientId: string): Redeemed {
    const refresh = this.#refreshTokens.get(token);
    this.#refreshTokens.delete(token);
    if (refresh?.clientId !== clientId) {
      throw oauthFailure('invalid_grant', 'The refresh token is invalid or was used before.');
    }
    return { user: this.#activeUser(refresh.userId), clientId, scope: refresh.scope };
  }

  #activeUser(id: string): User {
    const user = this.#directory.users.get(id);
    if (user?.active !== true) throw oauthFailure('invalid_grant', 'The user is not active.');
    return user;
  }
}
