import { type Selectable, sql } from 'kysely';

import type { Grant } from '../../domain/grant.ts';
import type { LeaseState } from '../../domain/lifecycle.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, toMs } from '../changes/change.ts';
import type { CredentialLeaseTable } from '../store/credential-tables.ts';

/** What tells a grant and all that it extends. */
export type ChainEnd = Pick<Grant, 'id' | 'chainId' | 'extendsId'>;

/** A credential's lease, and the chain of the grant that it was issued under. */
export interface ChainLease {
  readonly id: string;
  readonly chainId: string;
  readonly state: LeaseState;
  readonly expiresAtMs: EpochMs;
}

/**
 * The leases of grants and of all that they extend: credentials were issued under any of them. Each grant's are looked up
 * by themselves: where many have just come, the planner knows nothing of them yet, and would read all that there are.
 */
export async function leasesOfChains(change: Change, grants: readonly ChainEnd[]): Promise<ChainLease[]> {
  const chains = await chainsOf(change, grants);
  const { rows } = await sql<
    Pick<Selectable<CredentialLeaseTable>, 'id' | 'grant_id' | 'state' | 'expires_at'>
  >`
    select lease.* from unnest(${[...chains.keys()]}::uuid[]) as held (id)
      cross join lateral (
        select id, grant_id, state, expires_at from oam.credential_lease where grant_id = held.id offset 0
      ) as lease`.execute(change.trx);
  return rows.map((row) => ({
    ...{ id: row.id, state: row.state, expiresAtMs: toMs(row.expires_at) },
    chainId: chains.get(row.grant_id) ?? row.grant_id,
  }));
}

/** The chains of grants and of all that they extend, by their ids. */
async function chainsOf(change: Change, grants: readonly ChainEnd[]): Promise<ReadonlyMap<string, string>> {
  const extending = grants.filter(({ extendsId }) => extendsId !== undefined).map(({ chainId }) => chainId);
  const own = grants.map(({ id, chainId }) => [id, chainId] as const);
  if (extending.length === 0) return new Map(own);
  const { rows } = await sql<{ id: string; chain_id: string }>`
    select held.id, held.chain_id from unnest(${extending}::uuid[]) as chain (id)
      cross join lateral (
        select id, chain_id from oam.access_grant where chain_id = chain.id offset 0
      ) as held`.execute(change.trx);
  return new Map([...own, ...rows.map((row) => [row.id, row.chain_id] as const)]);
}

/**
 * When the last token under each of the grants, or under one that it extends, expires, where that is still to come: by the
 * id of the chain.
 */
export async function lastTokenExpiries(
  change: Change,
  grants: readonly ChainEnd[],
): Promise<ReadonlyMap<string, EpochMs>> {
  const last = new Map<string, EpochMs>();
  for (const { chainId, state, expiresAtMs } of await leasesOfChains(change, grants)) {
    if (state === 'revoked' || expiresAtMs <= change.nowMs) continue;
    last.set(chainId, Math.max(expiresAtMs, last.get(chainId) ?? 0));
  }
  return last;
}
