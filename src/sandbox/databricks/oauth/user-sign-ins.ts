import { createHash, randomBytes } from 'node:crypto';

import { type Clock, type EpochMs, MINUTE_MS } from '../../../domain/time.ts';
import type { Directory, User } from '../account/directory.ts';
import { oauthFailure } from '../http/failures.ts';
import type { SandboxSignInClient } from '../options.ts';

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
  /** The sign-in that it goes back to. */
  readonly familyId: string;
}

/** What a code or a refresh token was good for. */
export interface Redeemed {
  readonly user: User;
  readonly clientId: string;
  readonly scope: string;
  /** The sign-in that it goes back to. */
  readonly familyId: string;
}

const CODE_LIFE_MS = 5 * MINUTE_MS;

/** The public client that Databricks' own tools sign in with; it redirects to any port of this machine. */
const OWN_CLIENT = 'databricks-cli';

/**
 * Sign-ins of people at Databricks itself: authorization code with PKCE, single-use refresh tokens. A refresh token that
 * comes a second time is in two hands, so the whole sign-in ends.
 */
export class UserSignIns {
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly #clients: ReadonlyMap<string, SandboxSignInClient>;
  readonly #pending = new Map<string, PendingSignIn>();
  /** Signed in, and asked whether the application may act for them; by the id of what is pending. */
  readonly #consenting = new Map<string, string>();
  /** Who has said yes to which application. */
  readonly #consented = new Set<string>();
  readonly #codes = new Map<string, Code>();
  readonly #refreshTokens = new Map<string, Refresh>();
  readonly #spent = new Map<string, Refresh>();

  constructor(directory: Directory, clock: Clock, clients: readonly SandboxSignInClient[] = []) {
    this.#directory = directory;
    this.#clock = clock;
    this.#clients = new Map(clients.map((client) => [client.clientId, client]));
  }

  /** True if the client may be sent to the address. A wrong one must not be redirected to, not even with an error. */
  knows(clientId: string | null, redirectUri: string | null): boolean {
    if (clientId === null || redirectUri === null) return false;
    const registered = this.#clients.get(clientId);
    if (registered !== undefined) return registered.redirectUris.includes(redirectUri);
    const url = URL.parse(redirectUri);
    return (
      clientId === OWN_CLIENT &&
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

  /**
   * What follows a password: the address to send the person back to with a code, the question whether the application
   * may act for them, or undefined for a wrong name or password.
   */
  signIn(
    id: string,
    pending: PendingSignIn,
    userName: string,
    password: string,
  ): { readonly back: string } | 'consent' | undefined {
    const user = this.#directory.userByName(userName);
    if (user?.active !== true || user.password === undefined || user.password !== password) return undefined;
    if (pending.clientId === OWN_CLIENT || this.#consented.has(`${pending.clientId} ${user.id}`)) {
      return { back: this.#finish(id, pending, user.id) };
    }
    this.#consenting.set(id, user.id);
    return 'consent';
  }

  /** The address to send somebody back to who said yes; undefined where nobody was asked. */
  consent(id: string, pending: PendingSignIn): string | undefined {
    const userId = this.#consenting.get(id);
    if (userId === undefined) return undefined;
    this.#consented.add(`${pending.clientId} ${userId}`);
    return this.#finish(id, pending, userId);
  }

  /** The address to send somebody back to who said no. */
  cancel(id: string, pending: PendingSignIn): string {
    this.#pending.delete(id);
    this.#consenting.delete(id);
    return backTo(pending, { error: 'access_denied', error_description: 'The user denied the request.' });
  }

  #finish(id: string, pending: PendingSignIn, userId: string): string {
    this.#pending.delete(id);
    this.#consenting.delete(id);
    const code = randomBytes(24).toString('base64url');
    this.#codes.set(code, { ...pending, userId, expiresAtMs: this.#clock.nowMs() + CODE_LIFE_MS });
    return backTo(pending, { code });
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
    const familyId = randomBytes(16).toString('hex');
    return { user: this.#activeUser(code.userId), clientId: code.clientId, scope: code.scope, familyId };
  }

  issueRefreshToken({ user, clientId, scope, familyId }: Redeemed): string {
    const token = `doau${randomBytes(24).toString('hex')}`;
    this.#refreshTokens.set(token, { userId: user.id, clientId, scope, familyId });
    return token;
  }

  /** Ends the sign-ins of somebody, as an administrator does. */
  end(userId: string): void {
    for (const [token, refresh] of this.#refreshTokens) {
      if (refresh.userId === userId) this.#refreshTokens.delete(token);
    }
  }

  redeemRefreshToken(token: string, clientId: string): Redeemed {
    const reused = this.#spent.get(token);
    if (reused !== undefined) this.#endFamily(reused.familyId);
    const refresh = this.#refreshTokens.get(token);
    if (refresh?.clientId !== clientId) {
      throw oauthFailure('invalid_grant', 'The refresh token is invalid or was used before.');
    }
    this.#refreshTokens.delete(token);
    this.#spent.set(token, refresh);
    const { scope, familyId } = refresh;
    return { user: this.#activeUser(refresh.userId), clientId, scope, familyId };
  }

  #endFamily(familyId: string): void {
    for (const [token, refresh] of this.#refreshTokens) {
      if (refresh.familyId === familyId) this.#refreshTokens.delete(token);
    }
  }

  #activeUser(id: string): User {
    const user = this.#directory.users.get(id);
    if (user?.active !== true) throw oauthFailure('invalid_grant', 'The user is not active.');
    return user;
  }
}

function backTo({ redirectUri, state }: PendingSignIn, answer: Readonly<Record<string, string>>): string {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  if (state !== '') url.searchParams.set('state', state);
  return url.href;
}
