import type { AccountPrincipal } from '../account/directory.ts';
import type { Place } from '../places.ts';
import { oauthFailure } from '../http/failures.ts';
import type { Call, Route } from '../http/router.ts';
import type { Reply } from '../http/reply.ts';
import { SEED } from '../seed/identities.ts';
import { SECOND_MS, type EpochMs } from '../../../domain/time.ts';
import type { World } from '../world.ts';
import { SCOPES } from './discovery.ts';
import type { Redeemed, UserSignIns } from './user-sign-ins.ts';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';

/** The token endpoint of a workspace or of the account. */
export function tokenRoute(world: World, signIns: UserSignIns, place: Place): Route {
  const base = place === 'account' ? `/oidc/accounts/${SEED.accountId}` : '/oidc';
  return {
    method: 'POST',
    path: `${base}/v1/token`,
    open: true,
    complains: 'oauth',
    handle: (call) => new TokenRequest(world, signIns, place, `${world.hosts[place]}${base}`, call).answer(),
  };
}

/** One request to the token endpoint. */
class TokenRequest {
  readonly #world: World;
  readonly #signIns: UserSignIns;
  readonly #place: Place;
  readonly #issuer: string;
  readonly #call: Call;
  readonly #form: URLSearchParams;

  constructor(world: World, signIns: UserSignIns, place: Place, issuer: string, call: Call) {
    this.#world = world;
    this.#signIns = signIns;
    this.#place = place;
    this.#issuer = issuer;
    this.#call = call;
    this.#form = new URLSearchParams(call.text);
  }

  async answer(): Promise<Reply> {
    if (!/^application\/x-www-form-urlencoded\b/i.test(this.#call.headers['content-type'] ?? '')) {
      throw oauthFailure('invalid_request', 'The body must be form encoded.');
    }
    // Said instead of ignored: a token without the narrowing that was asked for would be too strong.
    if (this.#form.has('authorization_details')) {
      throw oauthFailure(
        'invalid_request',
        'Parameter authorization_details is not enabled for this account.',
      );
    }
    switch (this.#form.get('grant_type')) {
      case TOKEN_EXCHANGE:
        return this.#exchange();
      case 'client_credentials':
        return this.#clientCredentials();
      case 'authorization_code':
        return this.#authorizationCode();
      case 'refresh_token':
        return this.#refresh();
      case null:
        throw oauthFailure('invalid_request', 'Parameter grant_type is missing.');
      default:
        throw oauthFailure('unsupported_grant_type', 'This grant type is not supported.');
    }
  }

  async #exchange(): Promise<Reply> {
    const subjectToken = this.#required('subject_token');
    if (this.#form.get('subject_token_type') !== JWT_TYPE) {
      throw oauthFailure('invalid_request', `Parameter subject_token_type must be ${JWT_TYPE}.`);
    }
    const clientId = this.#form.get('client_id') ?? undefined;
    const scope = this.#scope();
    const subject = await this.#world.federation.accept(subjectToken, clientId);
    return this.#issue(subject.principal, clientId ?? 'databricks-federation', scope, subject.expiresAtMs);
  }

  async #clientCredentials(): Promise<Reply> {
    const { id, secret } = this.#clientSecret();
    const scope = this.#scope();
    const principal = this.#world.secrets.verify(id, secret);
    if (principal === undefined) throw oauthFailure('invalid_client', 'Client authentication failed.', 401);
    return this.#issue(principal, id, scope);
  }

  async #authorizationCode(): Promise<Reply> {
    return this.#issueToUser(
      this.#signIns.redeemCode({
        code: this.#required('code'),
        codeVerifier: this.#required('code_verifier'),
        redirectUri: this.#required('redirect_uri'),
        clientId: this.#required('client_id'),
      }),
    );
  }

  async #refresh(): Promise<Reply> {
    const redeemed = this.#signIns.redeemRefreshToken(
      this.#required('refresh_token'),
      this.#required('client_id'),
    );
    return this.#issueToUser(redeemed);
  }

  async #issueToUser(redeemed: Redeemed): Promise<Reply> {
    const { user, clientId, scope } = redeemed;
    const reply = await this.#issue(user, clientId, scope);
    if (!scope.split(' ').includes('offline_access') || reply.body === undefined) return reply;
    const refreshToken = this.#signIns.issueRefreshToken(redeemed);
    return { ...reply, body: { ...reply.body, refresh_token: refreshToken } };
  }

  async #issue(
    principal: AccountPrincipal,
    clientId: string,
    scope: string,
    notAfterMs: EpochMs = Infinity,
  ): Promise<Reply & { readonly body: object }> {
    const nowMs = this.#world.clock.nowMs();
    const assumedGroupId = this.#assumedGroup(principal);
    const expiresAtMs = Math.min(nowMs + this.#world.tokenSeconds * SECOND_MS, notAfterMs);
    const seconds = Math.floor((expiresAtMs - nowMs) / SECOND_MS);
    if (seconds < 1) throw oauthFailure('invalid_grant', 'Subject token was not accepted: token is expired.');
    const token = await this.#world.tokens.issueOAuth({
      principal,
      place: this.#place,
      issuer: this.#issuer,
      clientId,
      scope,
      expiresAtMs,
      assumedGroupId,
    });
    return {
      status: 200,
      headers: { 'cache-control': 'no-store', pragma: 'no-cache' },
      body: { access_token: token, token_type: 'Bearer', expires_in: seconds, scope },
    };
  }

  /** The group whose rights are asked for in the place of the caller's own: its members and assumers may. */
  #assumedGroup(principal: AccountPrincipal): string | undefined {
    if (!this.#form.has('assume_group')) return undefined;
    const groupId = this.#required('assume_group');
    if (this.#place === 'account') {
      throw oauthFailure('invalid_request', 'Parameter assume_group is not supported for the account.');
    }
    const { directory, ruleSets } = this.#world;
    const allowed =
      directory.groupsOf(principal.id).some(({ group }) => group.id === groupId) ||
      ruleSets.hasRole(groupId, principal, 'roles/group.assumer');
    if (!directory.groups.has(groupId) || !allowed) {
      throw oauthFailure('access_denied', `Caller is not allowed to assume group ${groupId}.`, 403);
    }
    return groupId;
  }

  #clientSecret(): { readonly id: string; readonly secret: string } {
    const header = /^Basic (.+)$/i.exec(this.#call.headers['authorization'] ?? '')?.[1];
    if (header === undefined) {
      return { id: this.#required('client_id'), secret: this.#required('client_secret') };
    }
    const text = Buffer.from(header, 'base64').toString();
    const colon = text.indexOf(':');
    if (colon < 0) throw oauthFailure('invalid_client', 'Client authentication failed.', 401);
    return { id: text.slice(0, colon), secret: text.slice(colon + 1) };
  }

  #scope(): string {
    const scope = this.#required('scope');
    const unknown = scope.split(' ').find((each) => !SCOPES.includes(each));
    if (unknown !== undefined)
      throw oauthFailure('invalid_scope', `Scope ${unknown} is not enabled for this account.`);
    return scope;
  }

  #required(name: string): string {
    const values = this.#form.getAll(name);
    if (values.length > 1)
      throw oauthFailure('invalid_request', `Parameter ${name} is given more than once.`);
    const value = values[0];
    if (value === undefined || value === '') {
      throw oauthFailure('invalid_request', `Parameter ${name} is missing.`);
    }
    return value;
  }
}
