import { randomUUID } from 'node:crypto';

import type { BearerToken } from '../databricks/index.ts';
import { hasCode, OamError } from '../domain/errors.ts';
import type { GrantState } from '../domain/lifecycle.ts';
import { type Redactor, registerRecent } from '../domain/redaction.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { CallOutput, ControlPlaneClient } from '../protocol/client.ts';
import { latestGrant } from '../protocol/latest-grant.ts';
import { PATH_ENDS } from './refusal.ts';
import { type PersonTokenOptions, personTokenSource, type TokenSource } from './token-source.ts';

/** What {@link roleTokenSource} needs. */
export interface RoleTokenOptions {
  /** The grant; where it is extended the tokens go on under the grant that follows it. */
  readonly grantId: string;
  readonly client: ControlPlaneClient;
  readonly redactor: Redactor;
  /**
   * The holder's own sign-in, for roles of the kind `assume`: the workspace mints their tokens for it. Its `host` is
   * the one workspace that it goes to. Absent where nobody is signed in: a pipeline.
   */
  readonly person?: PersonTokenOptions;
  /** The holder's sign-in, by its `signInId`: with its end goes what can be taken back. Absent where a program works for itself. */
  readonly session?: (() => string | undefined) | undefined;
}

type Assumption = Extract<CallOutput<'issueCredential'>, { kind: 'assumption' }>;

/** States from which a grant never becomes active again. */
const OVER: readonly GrantState[] = ['revoking', 'revoke_stuck', 'ended', 'failed'];

/**
 * Tokens of a role that has a path of its own, while the grant, or an extension of it, is active: those of a service
 * principal come from the control plane; for a role that is assumed the holder's own sign-in is exchanged at the
 * workspace, once the control plane has recorded a lease.
 *
 * @throws {OamError} from `token()`: `grant_ended` once the grant is over, for ever; `wrong_grant` when the answer is
 * for another one or another workspace; `role_needs_person`; the control plane's problems; for a role that is assumed also those of
 * {@link personTokenSource}.
 */
export function roleTokenSource(options: RoleTokenOptions): TokenSource {
  const { client, person } = options;
  let { grantId } = options;
  const remember = registerRecent(options.redactor);
  // The same for all tokens under one grant: they are renewals of one lease, and are listed as such.
  let idempotencyKey = randomUUID();

  /** Where it is a personal access token: a fresh one lives no longer, and takes the place of the one that is in use. */
  let personal: BearerToken | undefined;

  /** The personal access token in hand, as long as no better one is to be had. */
  const personalToken = async (signal: AbortSignal | undefined): Promise<BearerToken | undefined> => {
    if (personal === undefined) return undefined;
    const grant = await latestGrant(client, grantId, signal).catch((error: unknown) => {
      throw hasCode(error, 'not_found') ? ended(error) : error;
    });
    if (OVER.includes(grant.state)) throw ended(undefined);
    const endsAtMs = grant.endsAt === null ? 0 : Date.parse(grant.endsAt);
    if (grant.id === grantId && endsAtMs <= personal.expiresAtMs + MINUTE_MS) return personal;
    // Under a lease of its own: whoever uses the former one goes on with it.
    grantId = grant.id;
    idempotencyKey = randomUUID();
    personal = undefined;
    return undefined;
  };

  /** The grant to go on with after a refusal. */
  const grantAfter = async (refusal: unknown, signal: AbortSignal | undefined): Promise<string> => {
    if (hasCode(refusal, 'not_found')) throw ended(refusal);
    if (!hasCode(refusal, 'grant_not_active')) throw refusal;
    const grant = await latestGrant(client, grantId, signal);
    if (OVER.includes(grant.state)) throw ended(refusal);
    if (grant.id === grantId) throw refusal;
    return grant.id;
  };

  const assume = async (
    { host, assumeGroup, expiresAt }: Assumption,
    signal: AbortSignal | undefined,
  ): Promise<BearerToken> => {
    if (person === undefined) {
      throw new OamError(
        'role_needs_person',
        'This role is assumed by people who are signed in, and nobody is here. Ask for a role that has a service principal.',
      );
    }
    if (host !== person.host) {
      throw new OamError(
        'wrong_grant',
        'The control plane answered for another workspace, so no sign-in was sent to it. Report this.',
        { detail: host },
      );
    }
    const { accessToken, expiresAtMs } = await personTokenSource({ ...person, assumeGroup }).token(signal);
    // It may live on after the grant. Nobody gets it from here then.
    return { accessToken, expiresAtMs: Math.min(expiresAtMs, Date.parse(expiresAt)) };
  };

  return {
    async token(signal) {
      const inHand = await personalToken(signal);
      if (inHand !== undefined) return inHand;
      for (;;) {
        try {
          const credential = await client.call('issueCredential', {
            params: { id: grantId },
            idempotencyKey,
            body: { session: options.session?.() },
            ...(signal && { signal }),
          });
          if (credential.kind !== 'assumption') remember(credential.accessToken);
          if (credential.grantId !== grantId) {
            throw new OamError(
              'wrong_grant',
              'The control plane answered for another grant, so its token was thrown away. Report this.',
              { detail: credential.grantId },
            );
          }
          if (credential.kind === 'assumption') return await assume(credential, signal);
          const { accessToken, expiresAt } = credential;
          const token = { accessToken, expiresAtMs: Date.parse(expiresAt) };
          if (credential.kind === 'personal_token') personal = token;
          return token;
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
