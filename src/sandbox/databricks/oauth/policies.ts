import { randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import { nameOf } from '../account/directory.ts';
import { apiFailure, doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, param, parseBody, type Route } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import { SEED } from '../seed/identities.ts';
import type { World } from '../world.ts';
import type { FederationPolicy } from './federation.ts';
import { parseJwks, type PolicyKeys } from './issuer-keys.ts';

const MAX_POLICIES = 20;

const Body = z.object({
  description: z.optional(z.string()),
  oidc_policy: z.object({
    issuer: z.string().check(z.minLength(1)),
    audiences: z.optional(z.array(z.string())),
    subject_claim: z.optional(z.string()),
    subject: z.optional(z.string()),
    jwks_uri: z.optional(z.string()),
    jwks_json: z.optional(z.string()),
  }),
});

/** What an update changes; whatever it leaves out stays. */
const Changes = z.object({
  oidc_policy: z.object({
    audiences: z.optional(z.array(z.string())),
    jwks_uri: z.optional(z.string()),
    jwks_json: z.optional(z.string()),
  }),
});

/** The account's federation policies: account-wide and each service principal's own. Account admins only. */
export function federationPolicyRoutes(world: World): Route[] {
  const account = `/api/2.0/accounts/${SEED.accountId}`;
  const accountWide = (): FederationPolicy[] => world.federation.accountWide;
  const ofServicePrincipal = (call: AuthenticatedCall): FederationPolicy[] => {
    const id = param(call, 'sp');
    if (!world.directory.servicePrincipals.has(id))
      throw doesNotExist(`Service principal ${id} does not exist.`);
    const policies = world.federation.byServicePrincipal.get(id) ?? [];
    world.federation.byServicePrincipal.set(id, policies);
    return policies;
  };
  return [
    ...collection(world, `${account}/federationPolicies`, accountWide, 'account-wide'),
    ...collection(world, `${account}/servicePrincipals/{sp}/federationPolicies`, ofServicePrincipal, 'own'),
  ];
}

function collection(
  world: World,
  path: string,
  policiesOf: (call: AuthenticatedCall) => FederationPolicy[],
  kind: 'account-wide' | 'own',
): Route[] {
  const admins = (call: AuthenticatedCall): void => {
    if (world.directory.isAdmin(call.caller)) return;
    throw permissionDenied(`${nameOf(call.caller)} is not an account admin.`);
  };
  const found = (call: AuthenticatedCall): FederationPolicy => {
    const policy = policiesOf(call).find(({ id }) => id === param(call, 'id'));
    if (policy === undefined) throw doesNotExist(`Federation policy ${param(call, 'id')} does not exist.`);
    return policy;
  };
  return [
    {
      method: 'GET',
      path,
      handle: (call) => {
        admins(call);
        return ok({ policies: policiesOf(call).map(shown) });
      },
    },
    {
      method: 'POST',
      path,
      handle: (call) => {
        admins(call);
        const policies = policiesOf(call);
        const { oidc_policy: asked } = parseBody(Body, call);
        if (kind === 'own' && asked.subject === undefined) throw invalidParameter('subject is required.');
        if (kind === 'account-wide' && asked.subject !== undefined) {
          throw invalidParameter('subject must not be set on an account-wide federation policy.');
        }
        if (policies.length >= MAX_POLICIES) {
          throw apiFailure(400, 'QUOTA_EXCEEDED', `At most ${MAX_POLICIES} federation policies are allowed.`);
        }
        const policy: FederationPolicy = {
          id: call.query.get('policy_id') ?? randomUUID(),
          issuer: asked.issuer,
          audiences: asked.audiences ?? [SEED.accountId],
          subjectClaim: asked.subject_claim ?? 'sub',
          subject: asked.subject,
          keys: keysOf(asked),
        };
        if (policies.some(({ id }) => id === policy.id)) {
          throw apiFailure(409, 'ALREADY_EXISTS', `Federation policy ${policy.id} exists already.`);
        }
        policies.push(policy);
        return ok(shown(policy));
      },
    },
    {
      method: 'GET',
      path: `${path}/{id}`,
      handle: (call) => {
        admins(call);
        return ok(shown(found(call)));
      },
    },
    {
      method: 'PATCH',
      path: `${path}/{id}`,
      handle: (call) => {
        admins(call);
        const policies = policiesOf(call);
        const policy = found(call);
        const { oidc_policy: asked } = parseBody(Changes, call);
        const changed: FederationPolicy = {
          ...policy,
          ...(asked.audiences !== undefined && { audiences: asked.audiences }),
          ...((asked.jwks_uri ?? asked.jwks_json) !== undefined && { keys: keysOf(asked) }),
        };
        policies.splice(policies.indexOf(policy), 1, changed);
        return ok(shown(changed));
      },
    },
    {
      method: 'DELETE',
      path: `${path}/{id}`,
      handle: (call) => {
        admins(call);
        const policies = policiesOf(call);
        policies.splice(policies.indexOf(found(call)), 1);
        return ok({});
      },
    },
  ];
}

function keysOf(asked: {
  readonly jwks_uri?: string | undefined;
  readonly jwks_json?: string | undefined;
}): PolicyKeys {
  if (asked.jwks_uri !== undefined && asked.jwks_json !== undefined) {
    throw invalidParameter('Only one of jwks_uri and jwks_json may be set.');
  }
  if (asked.jwks_uri !== undefined) return { kind: 'uri', uri: asked.jwks_uri };
  if (asked.jwks_json === undefined) return { kind: 'discovery' };
  const jwks = parseJwks(asked.jwks_json);
  if (jwks === undefined) throw invalidParameter('jwks_json is not a valid JSON Web Key Set.');
  return { kind: 'json', jwks };
}

function shown(policy: FederationPolicy): object {
  return {
    uid: policy.id,
    policy_id: policy.id,
    oidc_policy: {
      issuer: policy.issuer,
      audiences: policy.audiences,
      subject_claim: policy.subjectClaim,
      ...(policy.subject !== undefined && { subject: policy.subject }),
      ...(policy.keys.kind === 'uri' && { jwks_uri: policy.keys.uri }),
      ...(policy.keys.kind === 'json' && { jwks_json: JSON.stringify(policy.keys.jwks) }),
    },
  };
}
