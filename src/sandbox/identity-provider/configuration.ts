import { randomBytes } from 'node:crypto';

import { errors, type Configuration, type JWK, type KoaContextWithOIDC } from 'oidc-provider';

import type { Directory } from './directory.ts';
import type { EphemeralStore } from './ephemeral-store.ts';
import {
  CONTENT_SECURITY_POLICY,
  codeConfirmPage,
  codeEntryPage,
  EDITOR_SCHEMES,
  messagePage,
} from './pages.ts';
import { EDITOR_CLIENT_ID, EDITOR_SCOPES, OAM_AUDIENCE } from './people.ts';
import { claimsAsPlayed, type Played } from './token-shapes.ts';

/** What people see as the name of the application that asks. */
export const CLIENT_NAME = 'Databricks ML OAM';

/** How long things live, in seconds, and whether a refresh token is good for one use only. */
export interface TokenSettings {
  readonly accessTokenSeconds: number;
  readonly idTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  readonly deviceCodeSeconds: number;
  readonly rotateRefreshTokens: boolean;
  /** Replaces the audience of access tokens, as a badly configured provider would. */
  readonly accessTokenAudience: string | readonly string[] | undefined;
  /** Whose access tokens are issued. */
  readonly plays: Played;
}

const SESSION_SECONDS = 8 * 60 * 60;
const INTERACTION_SECONDS = 10 * 60;

/** The configuration of `oidc-provider`: one public native client, one resource, nothing else switched on. */
export function providerConfiguration(o: {
  readonly directory: Directory;
  readonly store: EphemeralStore;
  readonly signingKey: JWK;
  readonly settings: TokenSettings;
}): Configuration {
  const { directory, settings } = o;
  return {
    adapter: o.store.adapter,
    jwks: { keys: [o.signingKey] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [
      {
        client_id: EDITOR_CLIENT_ID,
        client_name: CLIENT_NAME,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        redirect_uris: [
          // Any port of the loopback interface matches, as RFC 8252 §7.3 demands for native applications.
          'http://127.0.0.1/callback',
          ...EDITOR_SCHEMES.map((scheme) => `${scheme}://databricks-ml-oam.databricks-ml-oam/callback`),
        ],
        scope: EDITOR_SCOPES.join(' '),
      },
    ],
    scopes: [...EDITOR_SCOPES],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups', 'duty', 'on_call'],
    },
    // The ID token carries the person's claims in every flow: Databricks reads the user's name from it.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => {
      const person = directory.findBySub(sub);
      return person && { accountId: sub, claims: () => ({ ...directory.claimsOf(person), sub }) };
    },
    extraTokenClaims: (_ctx, token) => {
      const person =
        'accountId' in token && token.accountId !== undefined
          ? directory.findBySub(token.accountId)
          : undefined;
      return person && { ...directory.claimsOf(person) };
    },
    formats: {
      customizers: {
        jwt: (_ctx, token, parts) => {
          const person =
            'accountId' in token && token.accountId !== undefined
              ? directory.findBySub(token.accountId)
              : undefined;
          if (person) parts.payload = claimsAsPlayed(settings.plays, parts.payload, person);
          const audience = settings.accessTokenAudience;
          if (audience !== undefined) {
            parts.payload['aud'] = typeof audience === 'string' ? audience : [...audience];
          }
        },
      },
    },
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    rotateRefreshToken: settings.rotateRefreshTokens,
    ttl: {
      AccessToken: settings.accessTokenSeconds,
      AuthorizationCode: 60,
      DeviceCode: settings.deviceCodeSeconds,
      IdToken: settings.idTokenSeconds,
      RefreshToken: settings.refreshTokenSeconds,
      Interaction: INTERACTION_SECONDS,
      Session: SESSION_SECONDS,
      Grant: Math.max(settings.refreshTokenSeconds, SESSION_SECONDS),
    },
    features: {
      devInteractions: { enabled: false },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (resource !== OAM_AUDIENCE) throw new errors.InvalidTarget();
          return {
            audience: OAM_AUDIENCE,
            scope: '',
            accessTokenFormat: 'jwt',
            accessTokenTTL: settings.accessTokenSeconds,
          };
        },
      },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, _form, _out, error) => {
          show(
            ctx,
            codeEntryPage({ action: verificationUrl(ctx), xsrf: xsrfOf(ctx), problem: problemOf(error) }),
          );
        },
        userCodeConfirmSource: (ctx, _form, client, _deviceInfo, userCode) => {
          show(
            ctx,
            codeConfirmPage({
              action: verificationUrl(ctx),
              xsrf: xsrfOf(ctx),
              userCode,
              clientName: client.clientName ?? client.clientId,
            }),
          );
        },
        successSource: (ctx) => {
          show(
            ctx,
            messagePage('You are signed in', 'Go back to your editor or terminal. You can close this page.'),
          );
        },
      },
      rpInitiatedLogout: {
        enabled: true,
        // Reached only when somebody changes the account in the middle of a sign-in, which submits by itself.
        logoutSource: (ctx) => {
          show(ctx, messagePage('Signing out', 'You can close this page.'));
        },
        postLogoutSuccessSource: (ctx) => {
          show(ctx, messagePage('You are signed out', 'You can close this page.'));
        },
      },
    },
    renderError: (ctx, out) => {
      show(
        ctx,
        messagePage(
          'This did not work',
          `${out.error_description ?? out.error}. Start again from your editor or terminal.`,
        ),
      );
    },
  };
}

function show(ctx: KoaContextWithOIDC, html: string): void {
  ctx.type = 'html';
  ctx.set('content-security-policy', CONTENT_SECURITY_POLICY);
  ctx.set('referrer-policy', 'no-referrer');
  ctx.body = html;
}

function verificationUrl(ctx: KoaContextWithOIDC): string {
  return ctx.oidc.urlFor('code_verification');
}

function xsrfOf(ctx: KoaContextWithOIDC): string {
  const secret = ctx.oidc.session?.state?.['secret'];
  if (typeof secret !== 'string') throw new errors.SessionNotFound('the session has no form secret');
  return secret;
}

function problemOf(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined;
  switch (error.name) {
    case 'AbortedError':
      return 'The sign-in was cancelled. Nobody was let in.';
    case 'ExpiredError':
      return 'This code has expired. Start again from your editor or terminal.';
    case 'AlreadyUsedError':
      return 'This code was used already. Start again from your editor or terminal.';
    case 'NoCodeError':
    case 'NotFoundError':
      return 'There is no such code. Compare it with your editor or terminal and try again.';
    default:
      return 'The sign-in did not work. Start again from your editor or terminal.';
  }
}
