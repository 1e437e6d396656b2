import { decodeJwt, errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod/mini';

import { canonicalJson, sha256Hex } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import type { Principal, WorkloadFacts } from '../../domain/principal.ts';
import { type EpochMs, fromUnixSeconds } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { claimAt, type ClaimPath } from '../authentication/claim-path.ts';
import { textOf } from '../authentication/claims.ts';
import { createProviderKeys, isUnsigned, SIGNATURE_ALGORITHMS } from '../authentication/provider-keys.ts';
import { isStorable } from '../store/storable.ts';
import type { WorkloadIssuer, WorkloadTrust } from './configuration.ts';

/** Judges the tokens that workloads bring from where they run. */
export interface SubjectTokenVerifier {
  /**
   * @throws {OamError} `subject_token_refused`, `issuer_unavailable` when the issuer's keys cannot be read.
   */
  verify(token: string, nowMs: EpochMs): Promise<Principal>;
}

const CLOCK_TOLERANCE_SECONDS = 5;

/** The longest life of a subject token that is taken: issuers give minutes, a day is a leaked file. */
const MAX_LIFE_SECONDS = 24 * 60 * 60;

const FINGERPRINT_DIGITS = 16;

/** Subjects are keys of rows; what no issuer sends is not taken. */
const MAX_SUBJECT_CHARACTERS = 1_000;

/** A verifier for the issuers of a trust. Each issuer's tokens are checked by its own keys only. */
export function createSubjectTokenVerifier(
  trust: WorkloadTrust,
  transport: HttpTransport,
): SubjectTokenVerifier {
  const issuers = new Map(
    trust.issuers.map((row) => [
      row.issuer,
      { row, keys: createProviderKeys({ issuer: row.issuer, jwksUri: row.jwksUri, transport }) },
    ]),
  );
  return {
    async verify(token, nowMs) {
      const issuer = issuers.get(issuerOf(token));
      if (issuer === undefined) {
        throw refused('Its issuer is none that this control plane trusts. Ask your administrator to add it.');
      }
      const keys = await issuer.keys().catch(unavailable);
      const claims = await check(token, keys, issuer.row.issuer, issuer.row.audience, nowMs);
      return principalOf(claims, issuer.row);
    },
  };
}

/** Read before the signature, only to know whose keys to take. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    throw refused('It is not a signed JSON Web Token.');
  }
}

async function check(
  token: string,
  keys: JWTVerifyGetKey,
  issuer: string,
  audience: string,
  nowMs: EpochMs,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: [...SIGNATURE_ALGORITHMS],
      requiredClaims: ['sub', 'iat', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: MAX_LIFE_SECONDS,
      currentDate: new Date(nowMs),
    });
    // Passing as well for somebody else's door, it could have come from there.
    if (Array.isArray(payload.aud) && payload.aud.length > 1) {
      throw refused('It is meant for several services. Ask for one that is for OAM alone.');
    }
    return payload;
  } catch (error) {
    throw asRefusal(error, audience);
  }
}

function asRefusal(error: unknown, audience: string): unknown {
  if (error instanceof OamError) return error;
  if (error instanceof errors.JWTExpired) return refused('It has expired. Get a fresh one.');
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    return refused(`It was issued for another service. Ask for one with the audience '${audience}'.`);
  }
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(`Its claim '${error.claim}' is not right.`);
  if (isUnsigned(error)) {
    return refused("It is not signed by its issuer's keys.");
  }
  return unavailable(error);
}

function refused(why: string): OamError {
  return new OamError('subject_token_refused', `The workload's token cannot be used. ${why}`);
}

function unavailable(cause: unknown): never {
  throw new OamError(
    'issuer_unavailable',
    "The workload's token cannot be checked because its issuer does not answer. Try again in a minute.",
    { cause },
  );
}

/**
 * The workload as a principal. Its issuer's name stands in the place of an issuer's address, so that no workload is ever
 * taken for a person of the same issuer; and each run is somebody of its own, whose access ends with it. The jobs of one
 * run, and the programs of one role of a cloud, may differ in what they may do, so what their tokens say is part of who
 * they are: what one of them holds is not the others', nor is it judged by what another's token said.
 */
function principalOf(claims: JWTPayload, issuer: WorkloadIssuer): Principal {
  const sub = textOf(claims.sub);
  if (sub === undefined || !isStorable(sub)) throw refused('Its subject cannot be used.');
  const workload: WorkloadFacts = {
    issuer: issuer.name,
    claims: namedClaims(claims, issuer.claims),
    run: undefined,
  };
  for (const [name, values] of Object.entries(issuer.only)) {
    if (!values.includes(workload.claims[name] ?? '')) {
      throw refused(`OAM takes tokens of this issuer only where '${name}' is one of its own.`);
    }
  }
  const run = issuer.run && runOf(workload, issuer.run);
  const marks = [
    ...(run === undefined ? [] : [`run ${run.key}`]),
    ...(Object.keys(workload.claims).length === 0 ? [] : [fingerprint(workload)]),
  ];
  const whole = marks.length === 0 ? sub : `${sub} (${marks.join(', ')})`;
  if (whole.length > MAX_SUBJECT_CHARACTERS)
    throw refused('Its subject, or the name of its run, is too long.');
  return {
    iss: `urn:oam:workload:${issuer.name}`,
    sub: whole,
    userName: sub,
    displayName: run === undefined ? sub : `${sub}, run ${run.key}`,
    groups: { kind: 'listed', names: [] },
    duty: undefined,
    workload: { ...workload, run },
    seenAtMs: fromUnixSeconds(claims.iat ?? 0),
  };
}

function fingerprint({ claims }: WorkloadFacts): string {
  return sha256Hex(canonicalJson({ ...claims })).slice(0, FINGERPRINT_DIGITS);
}

function runOf(workload: WorkloadFacts, run: NonNullable<WorkloadIssuer['run']>) {
  const parts = run.claims.map((name) => workload.claims[name]);
  if (parts.some((part) => part === undefined)) {
    throw refused(`It does not say which run it is for: ${run.claims.join(', ')}`);
  }
  return { key: parts.join('/'), graceMinutes: run.graceMinutes };
}

const Plain = z.union([z.string(), z.number(), z.boolean()]);

/** Only what is plain text, a number or a boolean: rules compare texts. */
function namedClaims(
  claims: JWTPayload,
  places: Readonly<Record<string, ClaimPath>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(places).flatMap(([name, path]) => {
      const value = Plain.safeParse(claimAt(claims, path));
      if (!value.success) return [];
      const text = String(value.data);
      if (!isStorable(text)) {
        throw refused(`Its claim '${name}' holds a character that cannot be stored: NUL, or half of one.`);
      }
      return [[name, text]];
    }),
  );
}
