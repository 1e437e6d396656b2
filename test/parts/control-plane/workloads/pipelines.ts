import * as z from 'zod/mini';

import type { WorkloadIssuer, WorkloadTrust } from '../../../../src/control-plane/workloads/configuration.ts';
import { WORKLOAD_PROFILES, type WorkloadProfile } from '../../../../src/control-plane/workloads/profiles.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../../../src/protocol/client.ts';
import { TOKEN_PATH } from '../../../../src/protocol/token-exchange.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import type { World } from '../world.ts';

export const AUDIENCE = 'urn:oam:workloads';

/** An issuer of workloads' tokens, by a profile. */
export function issuerOf(
  name: string,
  url: string,
  profile: WorkloadProfile = WORKLOAD_PROFILES.oidc,
  more: Partial<WorkloadIssuer> = {},
): WorkloadIssuer {
  return {
    name,
    issuer: url,
    jwksUri: undefined,
    audience: profile.audience ?? AUDIENCE,
    claims: profile.claims,
    only: {},
    run: profile.run && { claims: profile.run, graceMinutes: 10 },
    ...more,
  };
}

export function trustIn(...issuers: WorkloadIssuer[]): WorkloadTrust {
  return { issuers };
}

/** What a job of GitHub Actions says of itself. */
export const GITHUB_JOB = {
  sub: 'repo:acme/recsys-models:environment:production',
  aud: AUDIENCE,
  repository: 'acme/recsys-models',
  repository_id: '74',
  repository_owner: 'acme',
  repository_owner_id: '65',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  ref_protected: 'true',
  environment: 'production',
  event_name: 'push',
  actor: 'octocat',
  workflow_ref: 'acme/recsys-models/.github/workflows/deploy.yml@refs/heads/main',
  job_workflow_ref: 'acme/recsys-models/.github/workflows/deploy.yml@refs/heads/main',
  runner_environment: 'github-hosted',
  run_id: '30433642',
  run_attempt: '1',
  sha: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
} as const;

/** The claims of a token that is issued now, by the store's time. */
export async function freshly(
  world: World,
  claims: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const iat = Math.floor((await world.store.nowMs()) / 1_000);
  return { iat, nbf: iat, exp: iat + 300, jti: crypto.randomUUID(), ...claims };
}

const Answer = z.looseObject({
  access_token: z.optional(z.string()),
  expires_in: z.optional(z.int()),
  error: z.optional(z.string()),
  error_description: z.optional(z.string()),
});

/** Exchanges a subject token. */
export async function exchange(world: World, subjectToken: string, more: Record<string, string> = {}) {
  const { status, text } = await world.http({
    method: 'POST',
    path: TOKEN_PATH,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      ...more,
    }).toString(),
  });
  return { status, text, ...Answer.parse(JSON.parse(text)) };
}

/** A client with the token that the exchange gave. */
export async function signedIn(world: World, subjectToken: string): Promise<ControlPlaneClient> {
  const answer = await exchange(world, subjectToken);
  const accessToken = answer.access_token;
  if (answer.status !== 200 || accessToken === undefined) throw new Error(answer.text);
  return createControlPlaneClient({
    baseUrl: world.url,
    accessToken: () => Promise.resolve(accessToken),
    transport: axiosTransport(),
  });
}
