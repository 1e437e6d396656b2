import { randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import { type BearerToken, exchangeSubjectToken, type HostTrust } from '../databricks/index.ts';
import { hasCode, OamError } from '../domain/errors.ts';
import type { GrantState } from '../domain/lifecycle.ts';
import type { PrincipalKey } from '../domain/principal.ts';
import { samePrincipal } from '../domain/principal.ts';
import type { Redactor } from '../domain/redaction.ts';
import type { Clock, EpochMs } from '../domain/time.ts';
import type { ControlPlaneClient } from '../protocol/client.ts';
import { latestGrant } from '../protocol/latest-grant.ts';
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
    subjectToken(signal?: AbortSignal): Promise<{ readonly token: string; readonly expiresAtMs: EpochMs }>;
  };
  readonly trust: HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly redactor: Redactor;
  /** The person whose tokens these are; unless given, whoever is signed in when the first one is minted. */
  readonly principal?: PrincipalKey;
}

/**
 * Tokens of the person who is signed in, by exchange of their ID token at the workspace.
 *
 * @throws {OamError} from `token()`: `principal_changed` once somebody else is signed in; `subject_token_unreadable`;
 * the session's `not_signed_in`, `session_expired`, `identity_provider_unavailable`; those of
 * `exchangeSubjectToken`.
 */
export function personTokenSource(options: PersonTokenOptions): TokenSource {
  const remember = registerRecent(options.redactor);
  let person = options.principal;
  return {
    async token(signal) {
      const subject = await options.session.subjectToken(signal);
      const bearer = readPrincipal(subject.token);
      person ??= bearer;
      if (!samePrincipal(person, bearer)) {
        throw new OamError('principal_changed', PATH_ENDS.principal_changed.sentence);
      }
      const token = await exchangeSubjectToken({
        host: options.host,
        subjectToken: subject.token,
        trust: options.trust,
        transport: options.transport,
        clock: options.clock,
        ...(signal && { signal }),
      });
      remember(token.accessToken);
      return token;
    },
  };
}

/** What {@link roleTokenSource} needs. */
export interface RoleTokenOptions {
  /** The grant; where it is extended the tokens go on under the grant that follows it. */
  readonly grantId: string;
  readonly client: ControlPlaneClient;
  readonly redactor: Redactor;
}

/** States from which a grant never becomes active again. */
const OVER: readonly GrantState[] = ['revoking', 'revoke_stuck', 'ended', 'failed'];

/**
 * Tokens of a `federated` role's service principal, minted by the control plane while the grant, or an extension of
 * it, is active.
 *
 * @throws {OamError} from `token()`: `grant_ended` once the grant is over, for ever; `wrong_grant` when the answer is
 * for another one; the control plane's problems.
 */
export function roleTokenSource(options: RoleTokenOptions): TokenSource {
  const { client } = options;
  let { grantId } = options;
  const remember = registerRecent(options.redactor);
  // The same for all tokens under one grant: they are renewals of one lease, and are listed as such.
  let idempotencyKey = randomUUID();

  /** The grant to go on with after a refusal. */
  const grantAfter = async (refusal: unknown, signal: AbortSignal | undefined): Promise<string> => {
    if (hasCode(refusal, 'not_found')) throw ended(refusal);
    if (!hasCode(refusal, 'grant_not_active')) throw refusal;
    const grant = await latestGrant(client, grantId, signal);
    if (OVER.includes(grant.state)) throw ended(refusal);
    if (grant.id === grantId) throw refusal;
    return grant.id;
  };

  return {
    async token(signal) {
      for (;;) {
        try {
          const credential = await client.call('issueCredential', {
            params: { id: grantId },
            idempotencyKey,
            ...(signal && { signal }),
          });
          remember(credential.accessToken);
          if (credential.grantId !== grantId) {
            throw new OamError(
              'wrong_grant',
              'The control plane answered for another grant, so its token was thrown away. Report this.',
              { detail: credential.grantId },
            );
          }
          return { accessToken: credential.accessToken, expiresAtMs: Date.parse(credential.expiresAt) };
        } catch (error) {
          grantId = await grantAfter(error, signal);
          idempotencyKey = randomUUID();
        }
      }
    },
  };
}

function ended(cause: unknown): OamError {
  return new OamError('grant_ended', PATH_ENDS.grant_ended.sentence, { cause });
}

const Claims = z.object({ iss: z.string(), sub: z.string() });

/** Reads whom a JWT speaks for, without judging it: its judge is the workspace. */
function readPrincipal(jwt: string): PrincipalKey {
  try {
    const payload: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
    return Claims.parse(payload);
  } catch {
    throw new OamError(
      'subject_token_unreadable',
      'The identity provider gave a token that does not say whose it is. Sign in again; if it stays, tell your admin.',
    );
  }
}

const RECENT = 8;

/** Keeps the last few tokens masked: at most two or three of them are alive at any time. */
function registerRecent(redactor: Redactor): (secret: string) => void {
  const recent: Disposable[] = [];
  return (secret) => {
    recent.push(redactor.register(secret));
    if (recent.length > RECENT) recent.shift()?.[Symbol.dispose]();
  };
}
