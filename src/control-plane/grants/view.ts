import type { Kysely } from 'kysely';
import * as z from 'zod/mini';

import type { PrincipalKey } from '../../domain/principal.ts';
import type { Review } from '../../domain/review.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type GrantView, PersonView, type ReviewView, type RevocationView } from '../../protocol/schemas.ts';
import { findPrincipals } from '../authentication/principals.ts';
import { toMs } from '../changes/change.ts';
import { personFinder, timestamp } from '../requests/view.ts';
import { among } from '../store/among.ts';
import type { Database } from '../store/tables.ts';
import type { StoredGrant } from './rows.ts';

/** Grants as their holders, leads and auditors see them. */
export async function viewGrants(db: Kysely<Database>, grants: readonly StoredGrant[]): Promise<GrantView[]> {
  const personOf = personFinder(
    await findPrincipals(
      db,
      grants.flatMap(({ principal, review }) =>
        review?.state === 'reviewed' ? [principal, review.reviewer] : [principal],
      ),
    ),
  );
  const removals = await removalsBegun(db, grants);
  const revocations = await revocationsOf(db, grants);
  return grants.map((grant) => ({
    id: grant.id,
    version: grant.version,
    requestId: grant.requestId,
    state: grant.state,
    endReason: grant.endReason ?? null,
    revocation: revocations.get(grant.id) ?? null,
    principal: personOf(grant.principal),
    role: {
      id: grant.role.id,
      title: grant.role.title,
      workspace: { name: grant.role.workspace, host: grant.workspaceHost },
      credential: grant.role.credential,
    },
    purpose: grant.purpose,
    minutes: grant.minutes,
    createdAt: timestamp(grant.createdAtMs),
    startsAt: timestamp(grant.startsAtMs),
    activatedAt: timestamp(grant.activatedAtMs),
    endsAt: timestamp(grant.endsAtMs),
    membershipPresentAt: timestamp(grant.membershipPresentAtMs),
    membershipAbsentAt: timestamp(grant.membershipAbsentAtMs),
    outlives:
      grant.outlives === undefined
        ? null
        : { until: timestamp(grant.outlives.untilMs), what: grant.outlives.what },
    trouble: grant.trouble ?? null,
    removingSince: timestamp(removals.get(grant.id)),
    chainId: grant.chainId,
    extends: grant.extendsId ?? null,
    successor: grant.successorId ?? null,
    heldSince: timestamp(grant.heldSinceMs),
    review: grant.review === undefined ? null : viewReview(grant.review, personOf),
  }));
}

/** When the removals of the grants that are on their way out were begun, by the id of the grant. */
async function removalsBegun(
  db: Kysely<Database>,
  grants: readonly StoredGrant[],
): Promise<ReadonlyMap<string, EpochMs>> {
  const ids = grants
    .filter(({ state }) => state === 'revoking' || state === 'revoke_stuck')
    .map(({ id }) => id);
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('effect')
    .select(['grant_id', 'created_at'])
    .where('kind', '=', 'remove_member')
    .where('grant_id', '=', among('uuid', ids))
    .execute();
  return new Map(rows.map(({ grant_id, created_at }) => [grant_id, toMs(created_at)]));
}

const Said = z.object({ reason: z.string() });

/**
 * Who revoked grants and why, by the id of the grant. The record has it from the change that began the end; where that
 * could not be written then, it comes later.
 */
async function revocationsOf(
  db: Kysely<Database>,
  grants: readonly StoredGrant[],
): Promise<ReadonlyMap<string, RevocationView>> {
  const ids = grants.filter(({ endReason }) => endReason === 'revoked').map(({ id }) => id);
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('audit')
    .select(['grant_id', 'actor', 'detail'])
    .where('grant_id', '=', among('uuid', ids))
    .where('event', '=', 'grant.revoking')
    .execute();
  const said = new Map(
    rows.map(({ grant_id, actor, detail }) => [
      grant_id,
      {
        by: PersonView.safeParse(actor).data ?? null,
        reason: Said.safeParse(detail).data?.reason ?? null,
      },
    ]),
  );
  return new Map(ids.map((id) => [id, said.get(id) ?? { by: null, reason: null }]));
}

function viewReview(review: Review, personOf: (key: PrincipalKey) => PersonView): ReviewView {
  return review.state === 'pending'
    ? { state: 'pending', reviewer: null, comment: null, at: null }
    : {
        state: review.verdict,
        reviewer: personOf(review.reviewer),
        comment: review.comment,
        at: timestamp(review.atMs),
      };
}

/** One grant. */
export async function viewGrant(db: Kysely<Database>, grant: StoredGrant): Promise<GrantView> {
  const [view] = await viewGrants(db, [grant]);
  if (view === undefined) throw new TypeError('A grant has one view.');
  return view;
}
