import * as z from 'zod/mini';

import { faultOfServerAddress } from '../configuration/origin.ts';
import type { ClaimPath } from '../authentication/claim-path.ts';
import { WORKLOAD_PROFILES, type WorkloadProfile } from './profiles.ts';

const Text = z.string().check(z.minLength(1));

/** Rules speak of these names. */
const Name = z.string().check(
  z.regex(/^[a-z][a-z0-9_-]{0,62}$/, {
    error: 'must be lower-case letters, digits, hyphens and underscores, and begin with a letter.',
  }),
);

const DEFAULT_GRACE_MINUTES = 10;

const PROFILE_NAMES = ['github-actions', 'gitlab', 'azure-devops', 'aws-iam', 'kubernetes', 'oidc'] as const;

/** `workloads` of the server's file. */
export const WorkloadsFile = z.strictObject({
  /** What workloads' tokens must be issued for. */
  audience: Text,
  issuers: z
    .array(
      z.strictObject({
        name: Name,
        profile: z.enum(PROFILE_NAMES),
        issuer: z.optional(Text),
        jwksUri: z.optional(Text),
        /** In the place of the common one, where an issuer gives no other. */
        audience: z.optional(Text),
        claims: z._default(z.record(Name, z.union([Text, z.array(Text).check(z.minLength(1))])), {}),
        only: z._default(z.record(Name, z.array(Text).check(z.minLength(1))), {}),
        run: z.optional(
          z.strictObject({
            claims: z.optional(z.array(Name).check(z.minLength(1))),
            graceMinutes: z._default(z.int().check(z.minimum(1), z.maximum(1_440)), DEFAULT_GRACE_MINUTES),
          }),
        ),
      }),
    )
    .check(z.minLength(1)),
});

/** See {@link WorkloadsFile}. */
export type WorkloadsFile = z.infer<typeof WorkloadsFile>;

/** One issuer whose workloads may come. */
export interface WorkloadIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly jwksUri: string | undefined;
  /** What its tokens must be issued for. */
  readonly audience: string;
  readonly claims: Readonly<Record<string, ClaimPath>>;
  /** Claims that must have one of these values, whatever the rules say. */
  readonly only: Readonly<Record<string, readonly string[]>>;
  readonly run: { readonly claims: readonly string[]; readonly graceMinutes: number } | undefined;
}

/** The workloads that may come. */
export interface WorkloadTrust {
  readonly issuers: readonly WorkloadIssuer[];
}

/** Says what is wrong, at which place of `workloads`. */
type Complain = (at: readonly string[], message: string | undefined) => void;

/** The trust that a file describes, with its profiles filled in. */
export function toWorkloadTrust(file: WorkloadsFile, complain: Complain): WorkloadTrust {
  const names = new Set<string>();
  const addresses = new Set<string>();
  const issuers = file.issuers.map((row, index): WorkloadIssuer => {
    const at = ['issuers', String(index)];
    const profile: WorkloadProfile = WORKLOAD_PROFILES[row.profile];
    const issuer = row.issuer ?? profile.issuer;
    const claims: Record<string, ClaimPath> = { ...profile.claims };
    for (const [name, place] of Object.entries(row.claims)) {
      claims[name] = typeof place === 'string' ? [place] : place;
    }
    const runClaims = row.run?.claims ?? profile.run;
    if (issuer === undefined)
      complain([...at, 'issuer'], 'is missing: this profile has one issuer a company.');
    else complain([...at, 'issuer'], faultOfServerAddress(issuer));
    if (row.jwksUri !== undefined) complain([...at, 'jwksUri'], faultOfServerAddress(row.jwksUri));
    if (names.has(row.name)) complain([...at, 'name'], 'is taken by another issuer.');
    if (issuer !== undefined && addresses.has(issuer)) complain([...at, 'issuer'], 'is listed twice.');
    const unknown = runClaims?.find((name) => !(name in claims));
    if (unknown !== undefined)
      complain([...at, 'run', 'claims'], `names a claim that is not listed: ${unknown}`);
    for (const name of Object.keys(row.only)) {
      if (!(name in claims)) complain([...at, 'only', name], 'is not one of the claims that are listed.');
    }
    if (issuer !== undefined && issuer === profile.issuer && Object.keys(row.only).length === 0) {
      complain(
        [...at, 'only'],
        'is missing: everybody can get a token of this issuer, so say which are yours, by repository_owner or namespace_path.',
      );
    }
    names.add(row.name);
    addresses.add(issuer ?? '');
    return {
      name: row.name,
      issuer: issuer ?? '',
      jwksUri: row.jwksUri,
      audience: row.audience ?? profile.audience ?? file.audience,
      claims,
      only: row.only,
      run: runClaims && {
        claims: runClaims,
        graceMinutes: row.run?.graceMinutes ?? DEFAULT_GRACE_MINUTES,
      },
    };
  });
  return { issuers };
}
