/** The states of a request. `pending` and `awaiting_requester` are open; the others are final. */
export const REQUEST_STATES = [
  'pending',
  'awaiting_requester',
  'approved',
  'denied',
  'cancelled',
  'lapsed',
] as const;

/** One of {@link REQUEST_STATES}. */
export type RequestState = (typeof REQUEST_STATES)[number];

/** The states of a grant. `failed` and `ended` are final; `revoke_stuck` is retried for ever. */
export const GRANT_STATES = [
  'scheduled',
  'provisioning',
  'active',
  'revoking',
  'revoke_stuck',
  'failed',
  'ended',
] as const;

/** One of {@link GRANT_STATES}. */
export type GrantState = (typeof GRANT_STATES)[number];

/** Why a grant ended. One that was `extended` lives on in the grant that follows it, and its membership was kept. */
export const END_REASONS = ['expired', 'returned', 'revoked', 'extended'] as const;

/** One of {@link END_REASONS}. */
export type EndReason = (typeof END_REASONS)[number];

/** The states of a lease: one credential that OAM issued under a grant. */
export const LEASE_STATES = ['issued', 'renewed', 'expired', 'revoked', 'outlives'] as const;

/** One of {@link LEASE_STATES}. */
export type LeaseState = (typeof LEASE_STATES)[number];

/** What can be left of a credential after its grant's end. See `Outliving` in `lease.ts`. */
export const OUTLIVING_KINDS = ['tokenOnly', 'right'] as const;

/** One of {@link OUTLIVING_KINDS}. */
export type OutlivingKind = (typeof OUTLIVING_KINDS)[number];
