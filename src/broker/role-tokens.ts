import { randomUUID } from 'node:crypto';

import type { BearerToken } from '../databricks/index.ts';
import { hasCode, OamError } from '../domain/errors.ts';
import type { GrantState } from '../domain/lifecycle.ts';
import { type Redactor, registerRecent } from '../domain/redaction.ts';
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
      for (;;) {
        try {
          const credential = await client.call('issueCredential', {
            params: { id: grantId },
            idempotencyKey,
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
          return credential.kind === 'assumption'
            ? await assume(credential, signal)
            : { accessToken: credential.accessToken, expiresAtMs: Date.parse(credential.expiresAt) };
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
