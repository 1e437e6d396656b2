import { randomBytes } from 'node:crypto';

import { type Kysely, sql } from 'kysely';

import { sha256Hex } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import { isLive } from '../../domain/grant.ts';
import type { Principal } from '../../domain/principal.ts';
import { type EpochMs, minutesToMs } from '../../domain/time.ts';
import type { RunnerToken } from '../../protocol/runners.ts';
import { recordAudit } from '../audit/record.ts';
import { findPrincipal } from '../authentication/principals.ts';
import {
  type Bearer,
  type RunnerFacts,
  TokenRefused,
  type TokenVerifier,
} from '../authentication/token-verifier.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { findGrant, type StoredGrant } from '../grants/rows.ts';
import { timestamp } from '../requests/view.ts';
import type { Database } from '../store/tables.ts';
import { addNextToken, takeUpNextToken } from './next-tokens.ts';
import { findBySpentToken, findByToken, lockRunner, type RunnerRow } from './rows.ts';

/** How a runner's tokens begin: nothing else in the company looks like them, so that leaks can be searched for. */
const TOKEN_PREFIX = 'oamr_';

const RANDOM_BYTES = 32;

/** How long a token lasts, in minutes. A runner gets the next one while its grant lives, after the end of the last one too. */
const TOKEN_MINUTES = 15;

/**
 * Trades a code for a runner's first token. A code that comes a second time is in two hands, so what came of the first
 * ends as well.
 *
 * @throws {OamError} `code_refused`, `grant_not_active`, `audit_unavailable`.
 */
export async function redeemCode(core: Core, code: string, machine: string): Promise<RunnerToken> {
  const outcome = await inChange(core.db, async (change) => {
    const found = await change.trx
      .selectFrom('runner')
      .select('id')
      .where('code_sha256', '=', sha256Hex(code))
      .executeTakeFirst();
    const runner = found && (await lockRunner(change, found.id));
    // The lock may have been waited for, and the code been replaced by then.
    if (runner?.code_sha256 !== sha256Hex(code)) return codeRefused();
    if (runner.redeemed_at !== null) {
      if (runner.ended_at === null) await endRow(core, change, runner, 'misused', undefined);
      return codeRefused();
    }
    if (runner.ended_at !== null || toMs(runner.code_expires_at) <= change.nowMs) return codeRefused();
    const grant = await liveGrant(change, runner);
    const token = newToken(change);
    await change.trx
      .updateTable('runner')
      .set({
        machine_sha256: sha256Hex(machine),
        redeemed_at: toDate(change.nowMs),
        token_sha256: token.sha256,
        token_expires_at: toDate(token.expiresAtMs),
      })
      .where('id', '=', runner.id)
      .execute();
    await recordAudit(change, {
      event: 'runner.started',
      actor: await ownerOf(change.trx, runner),
      ...about(grant),
      detail: { runnerId: runner.id, name: runner.name },
    });
    return answer(runner, grant, token);
  });
  // Thrown outside of the change: what was found out about a code that is in two hands stays.
  if (outcome instanceof OamError) throw outcome;
  return outcome;
}

/**
 * The next token of a runner. Its answer may be lost, so the present token is what it was until the next one is used,
 * however often that is asked for. One that comes from another machine ends it.
 *
 * @throws {OamError} `not_allowed` for anybody who is no runner, and on another machine; `grant_not_active`,
 * `session_expired` where the next one is in use, `audit_unavailable`.
 */
export async function renewToken(
  core: Core,
  facts: RunnerFacts | undefined,
  machine: string,
): Promise<RunnerToken> {
  if (facts === undefined) {
    throw new OamError('not_allowed', 'Only a runner renews its token. People sign in.');
  }
  const outcome = await inChange(core.db, async (change) => {
    const runner = await lockRunner(change, facts.id);
    if (runner?.ended_at !== null) return ended();
    if (runner.machine_sha256 !== sha256Hex(machine)) {
      await endRow(core, change, runner, 'misused', undefined);
      return new OamError(
        'not_allowed',
        'This token was made for another machine, so it was ended. Hand the access over anew.',
      );
    }
    // It was on its way, or waited for the lock, while the next one came into use: there is no third one for it.
    if (runner.token_sha256 !== facts.tokenSha256) return tokenEnded(await ownerOf(change.trx, runner));
    const grant = await liveGrant(change, runner);
    const token = newToken(change);
    await addNextToken(change, runner, token);
    return answer(runner, grant, token);
  });
  if (outcome instanceof OamError) throw outcome;
  return outcome;
}

/** A token before it is given out; stored is its hash only. */
interface NewToken {
  readonly accessToken: string;
  readonly sha256: string;
  readonly expiresAtMs: EpochMs;
}

function newToken({ nowMs }: Change): NewToken {
  const accessToken = TOKEN_PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
  return { accessToken, sha256: sha256Hex(accessToken), expiresAtMs: nowMs + minutesToMs(TOKEN_MINUTES) };
}

function answer(runner: RunnerRow, grant: StoredGrant, { accessToken, expiresAtMs }: NewToken): RunnerToken {
  return {
    ...{ id: runner.id, grantId: grant.id, host: grant.workspaceHost },
    ...{ accessToken, expiresAt: timestamp(expiresAtMs) },
  };
}

/** Ends a runner on the record; where the trail takes no row, the runner ends all the same. */
export async function endRow(
  { debt }: Pick<Core, 'debt'>,
  change: Change,
  runner: RunnerRow,
  why: NonNullable<RunnerRow['ended_by']>,
  actor: Principal | undefined,
): Promise<RunnerRow> {
  const endedAt = toDate(change.nowMs);
  await change.trx
    .updateTable('runner')
    .set({ ended_at: endedAt, ended_by: why })
    .where('id', '=', runner.id)
    .execute();
  await change.trx.deleteFrom('runner_spent_token').where('runner_id', '=', runner.id).execute();
  const grant = await findGrant(change.trx, runner.grant_id);
  await debt.record(change, {
    event: 'runner.ended',
    actor,
    ...(grant && about(grant)),
    detail: { runnerId: runner.id, name: runner.name, why },
  });
  return { ...runner, ended_at: endedAt, ended_by: why };
}

function about(grant: StoredGrant): { grantId: string; requestId: string; roleId: string } {
  return { grantId: grant.id, requestId: grant.requestId, roleId: grant.roleId };
}

/** The grant that the runner works under, or the one that extends it. */
async function liveGrant(change: Change, runner: RunnerRow): Promise<StoredGrant> {
  const latest = await change.trx
    .selectFrom('access_grant as held')
    .innerJoin('access_grant as bound', 'bound.chain_id', 'held.chain_id')
    .select('held.id')
    .where('bound.id', '=', runner.grant_id)
    .where('held.state', 'in', ['scheduled', 'provisioning', 'active'])
    .orderBy('held.created_at')
    .executeTakeFirst();
  const grant = latest && (await findGrant(change.trx, latest.id));
  if (grant === undefined || !isLive(grant)) {
    throw new OamError(
      'grant_not_active',
      'This access has ended. Ask for the role again if you still need it.',
    );
  }
  return grant;
}

async function ownerOf(db: Kysely<Database>, runner: RunnerRow): Promise<Principal> {
  const owner = await findPrincipal(db, runner);
  if (owner === undefined) throw new OamError('internal', 'A runner has an owner of whom nothing is known.');
  return owner;
}

/** Lets runners in: each kind of token goes to the check that knows it. */
export function withRunners(others: TokenVerifier, core: Pick<Core, 'db' | 'debt'>): TokenVerifier {
  return {
    verify: (token, nowMs) =>
      token.startsWith(TOKEN_PREFIX) ? verifyToken(core, token, nowMs) : others.verify(token, nowMs),
  };
}

async function verifyToken(core: Pick<Core, 'db' | 'debt'>, token: string, nowMs: EpochMs): Promise<Bearer> {
  const { db } = core;
  const hash = sha256Hex(token);
  const row = (await findByToken(db, hash)) ?? (await takeUpNextToken(db, hash));
  const expiresAtMs = toMs(row?.expires_at ?? null) ?? 0;
  // The program has used the next one for long: whoever comes with this one is somebody else, or it is.
  const spentBy = expiresAtMs <= nowMs ? await findBySpentToken(db, hash) : undefined;
  if (spentBy !== undefined) await endMisused(core, spentBy);
  if (row === undefined) {
    throw new TokenRefused('not_signed_in', 'This token is not good any more. Hand the access over anew.');
  }
  const principal = await ownerOf(db, row);
  // One that ended with its grant may still read that it did: its program ends its path by that word and by no other.
  const endedWithGrant = row.ended_by === 'grant_ended';
  const isExpired = expiresAtMs <= nowMs;
  // Its machine has slept, or the control plane was away: the last token that it had gets it the next one, on its machine,
  // while the grant lives.
  const isLast = row.token_sha256 === hash;
  if ((row.ended_at !== null && !endedWithGrant) || (isExpired && !isLast)) throw tokenEnded(principal);
  return {
    principal,
    expiresAtMs,
    issuedAtMs: toMs(row.renewed_at ?? row.redeemed_at) ?? 0,
    tokenId: `runner:${row.id}`,
    clientId: undefined,
    runner: { id: row.id, grantId: row.grant_id, isExpired: isExpired && !endedWithGrant, tokenSha256: hash },
  };
}

/** The refusal of a runner's token that is good for nothing any more, or for nothing but the next one. */
export function tokenEnded(principal: Principal): TokenRefused {
  return new TokenRefused('session_expired', 'This token has ended. Hand the access over anew.', principal);
}

async function endMisused(core: Pick<Core, 'db' | 'debt'>, id: string): Promise<void> {
  await inChange(core.db, async (change) => {
    const runner = await lockRunner(change, id);
    if (runner?.ended_at === null) await endRow(core, change, runner, 'misused', undefined);
  });
}

/** Ends what nobody came for, and what has nothing left to work under. */
export async function endIdleRunners(core: Pick<Core, 'db' | 'debt'>): Promise<void> {
  const idle = await core.db
    .selectFrom('runner')
    .select('id')
    .where('ended_at', 'is', null)
    .where(
      sql<boolean>`(redeemed_at is null and code_expires_at < oam.now()) or not exists (
        select from oam.access_grant bound
        join oam.access_grant held using (chain_id)
        where bound.id = runner.grant_id and held.state in ('scheduled', 'provisioning', 'active'))`,
    )
    .limit(100)
    .execute();
  for (const { id } of idle) {
    await inChange(core.db, async (change) => {
      const runner = await lockRunner(change, id);
      if (runner?.ended_at !== null) return;
      await endRow(
        core,
        change,
        runner,
        runner.redeemed_at === null ? 'never_started' : 'grant_ended',
        undefined,
      );
    });
  }
}

/** The refusal of a code, whatever is wrong with it. */
export function codeRefused(): OamError {
  return new OamError(
    'code_refused',
    'This code is not good, was used before, or is older than five minutes. Hand the access over anew.',
  );
}

function ended(): OamError {
  return new OamError('grant_not_active', 'This runner has been ended. Hand the access over anew.');
}
