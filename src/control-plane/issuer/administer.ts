import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { IssuerView, type RotateKeysBody, type SigningKeyView } from '../../protocol/issuer.ts';
import { inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { timestamp } from '../requests/view.ts';
import { isAuditor, teamsOf } from '../roles/teams.ts';
import type { Issuer } from './issuer.ts';
import type { PublishedKey } from './key-rows.ts';
import { activatesAtMs, type RotationRules } from './key-states.ts';

/** What looking after the issuer needs. */
export interface IssuerParts {
  readonly core: Core;
  readonly issuer: Issuer;
  /** The Databricks account's id: the audience of role tokens. */
  readonly accountId: string;
}

/**
 * The keys and the policies that trust them, for those who change them and for auditors.
 *
 * @throws {OamError} `not_allowed`, `groups_overflowed`.
 */
export async function getIssuer(parts: IssuerParts, caller: Principal): Promise<IssuerView> {
  if (!isAuditor(caller)) assertMayRotate(parts.core, caller);
  return viewIssuer(parts);
}

/**
 * Changes the keys that OAM signs with.
 *
 * @throws {OamError} `not_allowed`, `groups_overflowed`, `precondition_failed` where the step does not fit what is
 * under way, `idempotency_key_reused`, `audit_unavailable`.
 */
export async function rotateKeys(
  parts: IssuerParts,
  intent: Intent,
  { step, reason }: RotateKeysBody,
): Promise<IssuerView> {
  const { core, issuer } = parts;
  assertMayRotate(core, intent.caller);
  const order = { actor: intent.caller, reason, policyVersion: core.policy.hash };
  const key = step === 'complete' ? undefined : await issuer.keys.makeKey();
  return inChange(core.db, (change) =>
    once(change, intent, IssuerView, async () => {
      if (key === undefined) {
        if (!(await issuer.keys.completeRotation(change, order))) throw nothingToComplete();
      } else if (step === 'replace') {
        await issuer.keys.replaceAll(change, key, order);
      } else if (!(await issuer.keys.beginRotation(change, key, order))) {
        throw underWay();
      }
      return viewIssuer(parts, await issuer.keys.published(change.trx));
    }),
  );
}

function assertMayRotate(core: Core, caller: Principal): void {
  const teams = teamsOf(caller, core.policy.catalogue);
  const verdict = core.policy.decideKeyRotation({ operator: caller, teams });
  if (verdict.allowed) return;
  throw new ExplainedRefusal(
    'not_allowed',
    "The access policy does not let you look after OAM's signing keys. Ask those whom it does.",
    verdict.because,
  );
}

function underWay(): OamError {
  return new OamError(
    'precondition_failed',
    'A new signing key is published already and will sign once it is known. Look with: oam issuer show',
  );
}

function nothingToComplete(): OamError {
  return new OamError(
    'precondition_failed',
    'No new signing key waits for its turn. Publish one first with: oam issuer rotate',
  );
}

async function viewIssuer(
  { core, issuer, accountId }: IssuerParts,
  published?: readonly PublishedKey[],
): Promise<IssuerView> {
  const keys = published ?? (await issuer.keys.published());
  const { waitsForWord } = issuer.keys.rules;
  const jwksJson = waitsForWord ? JSON.stringify(issuer.jwksOf(keys)) : undefined;
  return {
    url: issuer.url,
    policyKeys: waitsForWord ? 'jwks_json' : 'discovery',
    keys: keys.map((key) => viewKey(key, issuer.keys.rules)),
    policies: core.policy.catalogue.roles.flatMap(({ id, credential, servicePrincipal }) =>
      credential !== 'federated' || servicePrincipal === undefined
        ? []
        : [
            {
              roleId: id,
              servicePrincipal: { ...servicePrincipal },
              policy: {
                oidc_policy: {
                  issuer: issuer.url,
                  audiences: [accountId],
                  subject_claim: 'oam_role',
                  subject: id,
                  ...(jwksJson !== undefined && { jwks_json: jwksJson }),
                },
              },
            },
          ],
    ),
  };
}

function viewKey(key: PublishedKey, rules: RotationRules): SigningKeyView {
  return {
    kid: key.kid,
    state: key.state,
    publishedAt: timestamp(key.publishedAtMs),
    activatedAt: timestamp(key.state === 'current' ? key.activatedAtMs : undefined),
    activatesAt: timestamp(key.state === 'next' ? activatesAtMs(key, rules) : undefined),
    retiredAt: timestamp(key.state === 'retired' ? key.retiredAtMs : undefined),
    publishedUntil: timestamp(key.state === 'retired' ? key.publishedUntilMs : undefined),
  };
}
