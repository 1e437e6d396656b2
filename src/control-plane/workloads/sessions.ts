import { randomBytes } from 'node:crypto';

import { type Kysely, sql } from 'kysely';

import { sha256Hex } from '../../domain/canonical.ts';
import { proveAlive } from '../../domain/grant.ts';
import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { type EpochMs, minutesToMs } from '../../domain/time.ts';
import { recordAudit } from '../audit/record.ts';
import { findPrincipal, rememberPrincipal } from '../authentication/principals.ts';
import { type Bearer, TokenRefused, type TokenVerifier } from '../authentication/token-verifier.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { lockGrant, saveGrant } from '../grants/rows.ts';
import type { Database } from '../store/tables.ts';

/** How the tokens of workloads begin: nothing else in the company looks like them, so that leaks can be searched for. */
const PREFIX = 'oamw_';

const RANDOM_BYTES = 32;

/** How long a workload's token lasts, in minutes. A run gets the next one while it lives. */
const TOKEN_MINUTES = 15;

/** A token that opens the control plane to a workload. It is kept nowhere. */
export interface WorkloadSession {
  readonly accessToken: string;
  readonly expiresAtMs: EpochMs;
}

/**
 * Opens the control plane to a workload whose subject token was good. To a run's grants it is the proof that the run
 * lives.
 *
 * @throws {OamError} `audit_unavailable`.
 */
export async function openSession(
  core: Pick<Core, 'db' | 'wake'>,
  workload: Principal,
): Promise<WorkloadSession> {
  await rememberPrincipal(core.db, workload);
  const accessToken = PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
  const session = await inChange(core.db, async (change) => {
    const expiresAtMs = change.nowMs + minutesToMs(TOKEN_MINUTES);
    await change.trx
      .insertInto('workload_token')
      .values({
        sha256: sha256Hex(accessToken),
        iss: workload.iss,
        sub: workload.sub,
        issued_at: toDate(change.nowMs),
        expires_at: toDate(expiresAtMs),
      })
      .execute();
    const prolonged = await prolong(change, workload);
    await recordAudit(change, {
      event: 'workload.signed_in',
      actor: workload,
      detail: { claims: { ...workload.workload?.claims }, expiresAtMs, prolonged },
    });
    return { accessToken, expiresAtMs };
  });
  core.wake();
  return session;
}

/** The run lives: its active grants go on. Returns their ids. */
async function prolong(change: Change, { iss, sub, workload }: Principal): Promise<string[]> {
  if (workload?.run === undefined) return [];
  const active = await change.trx
    .selectFrom('access_grant')
    .select('id')
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('state', '=', 'active')
    .where('run_grace_minutes', 'is not', null)
    .orderBy('id')
    .execute();
  const prolonged: string[] = [];
  for (const { id } of active) {
    const grant = await lockGrant(change, id);
    const next = grant && proveAlive(grant, change.nowMs);
    if (grant === undefined || next === undefined || next === grant) continue;
    await saveGrant(change, grant, next);
    prolonged.push(id);
  }
  return prolonged;
}

/** Lets workloads in beside people: each kind of token goes to the check that knows it. */
export function withWorkloads(people: TokenVerifier, db: Kysely<Database>): TokenVerifier {
  return {
    verify: (token, nowMs) =>
      token.startsWith(PREFIX) ? verifySession(db, token, nowMs) : people.verify(token, nowMs),
  };
}

async function verifySession(db: Kysely<Database>, token: string, nowMs: EpochMs): Promise<Bearer> {
  const row = await db
    .selectFrom('workload_token')
    .select(['iss', 'sub', 'issued_at', 'expires_at'])
    .where('sha256', '=', sha256Hex(token))
    .executeTakeFirst();
  if (row === undefined) {
    throw new TokenRefused(
      'not_signed_in',
      "This token is not one of ours. Exchange the workload's token anew.",
    );
  }
  const principal = await findPrincipal(db, row);
  const expiresAtMs = toMs(row.expires_at);
  if (principal === undefined) throw new OamError('internal', 'A workload without facts has a token.');
  if (expiresAtMs <= nowMs) {
    throw new TokenRefused(
      'session_expired',
      "This token has expired. Exchange the workload's token anew.",
      principal,
    );
  }
  return {
    principal,
    expiresAtMs,
    issuedAtMs: toMs(row.issued_at),
    tokenId: undefined,
    clientId: principal.workload?.issuer,
  };
}

/** Forgets tokens that open nothing any more. */
export async function forgetExpiredTokens(db: Kysely<Database>): Promise<void> {
  await sql`delete from oam.workload_token where expires_at < oam.now()`.execute(db);
}
