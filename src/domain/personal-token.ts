import { type EpochMs, SECOND_MS } from './time.ts';

/**
 * The states of a personal access token that OAM has made. `making`: Databricks is about to be asked, or has been and
 * has not answered. `live`: it is known there. `leaving`: it is to be deleted, or to be found first. `gone`: reads have
 * shown that it does not exist.
 */
export const PERSONAL_TOKEN_STATES = ['making', 'live', 'leaving', 'gone'] as const;

/** One of {@link PERSONAL_TOKEN_STATES}. */
export type PersonalTokenState = (typeof PERSONAL_TOKEN_STATES)[number];

/** What is known of a personal access token; its value is kept nowhere. */
export interface PersonalToken {
  /** OAM's own id, which the token carries in its comment. */
  readonly id: string;
  readonly leaseId: string;
  readonly state: PersonalTokenState;
  /** Databricks' id; undefined until Databricks has answered, or the token was found by its comment. */
  readonly databricksId: string | undefined;
  /** When Databricks last said that it had deleted it, or that there is none. */
  readonly deletedAtMs: EpochMs | undefined;
  /** When a read first did not show it, where one read is not enough. */
  readonly firstAbsentAtMs: EpochMs | undefined;
}

/** How many personal access tokens one access may have that are not seen to be gone. */
export const PERSONAL_TOKENS_PER_GRANT = 5;

/** After so long an answer that has not come is not waited for: whatever was made is looked for, and deleted. */
export const MAKING_MAX_MS = 60 * SECOND_MS;

/** What a token's comment says: by it a token is found whose making was never answered. */
export interface TokenMark {
  /** Of the store that knows the token. */
  readonly epoch: string;
  readonly leaseId: string;
  readonly tokenId: string;
}

/** The comment of a token. */
export function tokenComment({ epoch, leaseId, tokenId }: TokenMark): string {
  return `oam:${epoch}:${leaseId}:${tokenId}`;
}

const COMMENT = /^oam:([0-9a-f-]{36}):([0-9a-f-]{36}):([0-9a-f-]{36})$/;

/** Reads a comment; undefined for one that OAM did not write. */
export function readTokenComment(comment: string): TokenMark | undefined {
  const [, epoch, leaseId, tokenId] = COMMENT.exec(comment) ?? [];
  if (epoch === undefined || leaseId === undefined || tokenId === undefined) return undefined;
  return { epoch, leaseId, tokenId };
}

/** How long a token that is made now may live, in whole seconds; undefined where there is no time left. */
export function tokenLifetimeSeconds(latestEndMs: EpochMs, nowMs: EpochMs): number | undefined {
  const seconds = Math.floor((latestEndMs - nowMs) / SECOND_MS);
  return seconds >= 1 ? seconds : undefined;
}

/** A token that Databricks is about to be asked for. */
export function beginToken(id: string, leaseId: string): PersonalToken {
  return {
    ...{ id, leaseId, state: 'making' },
    ...{ databricksId: undefined, deletedAtMs: undefined, firstAbsentAtMs: undefined },
  };
}

/**
 * Databricks has made it. It is `live`, and may be handed out; where nobody waits for it any more it is to be deleted,
 * though it was thought to be gone.
 */
export function madeToken(token: PersonalToken, databricksId: string): PersonalToken {
  return token.state === 'making' ? { ...token, databricksId, state: 'live' } : found(token, databricksId);
}

/** Databricks has said that it made none. */
export function refusedToken(token: PersonalToken): PersonalToken {
  return token.databricksId === undefined ? { ...token, state: 'gone' } : token;
}

/** Nobody is to hold it any more. Unchanged where that is so already. */
export function leaveToken(token: PersonalToken): PersonalToken {
  return token.state === 'making' || token.state === 'live' ? { ...token, state: 'leaving' } : token;
}

/** Databricks says that it deleted it, or that there is none. */
export function deletedToken(token: PersonalToken, nowMs: EpochMs): PersonalToken {
  return token.state === 'leaving' && token.databricksId !== undefined
    ? { ...token, deletedAtMs: nowMs }
    : token;
}

/** A read shows one that is on its way out, or was thought to be gone. Unchanged where it may be there. */
export function sawToken(token: PersonalToken, databricksId: string): PersonalToken {
  if (token.state === 'making' || token.state === 'live') return token;
  return token.state === 'leaving' && token.databricksId === databricksId
    ? { ...token, firstAbsentAtMs: undefined }
    : found(token, databricksId);
}

/**
 * A read does not show it. One that Databricks has deleted is gone. One that was never answered may still be made: it is
 * gone when a second read, later than any call can last, does not show it either.
 *
 * @param confirmMs the wait between the reads.
 */
export function missedToken(token: PersonalToken, nowMs: EpochMs, confirmMs: number): PersonalToken {
  if (token.state !== 'leaving') return token;
  if (token.databricksId !== undefined) {
    return token.deletedAtMs === undefined ? token : { ...token, state: 'gone' };
  }
  if (token.firstAbsentAtMs === undefined) return { ...token, firstAbsentAtMs: nowMs };
  return nowMs - token.firstAbsentAtMs < confirmMs ? token : { ...token, state: 'gone' };
}

/** A token as Databricks lists it. */
export interface TokenInList {
  readonly id: string;
  readonly comment: string;
  readonly createdById: string | undefined;
}

/** Who OAM is where tokens are listed. */
export interface TokenMaker {
  /** Of the store. */
  readonly epoch: string;
  /** Databricks' id of OAM's service principal for tokens. */
  readonly principalId: string;
}

/**
 * True for a listed token that OAM made and nobody holds: the store that its comment names is this one, and knows
 * nothing of it, or takes it for gone, or knows the token of that mark by another id. Whatever somebody else made is
 * never one, whatever its comment says.
 *
 * @param known the token of the comment's mark; undefined where the store, read after the list, has none.
 */
export function isOrphan(listed: TokenInList, maker: TokenMaker, known: PersonalToken | undefined): boolean {
  if (listed.createdById !== maker.principalId) return false;
  if (readTokenComment(listed.comment)?.epoch !== maker.epoch) return false;
  if (known === undefined || known.state === 'gone') return true;
  return known.databricksId !== undefined && known.databricksId !== listed.id;
}

/** It exists and nobody is to hold it: it is deleted, and looked for, from the beginning. */
function found(token: PersonalToken, databricksId: string): PersonalToken {
  return {
    ...token,
    databricksId,
    state: 'leaving',
    ...{ deletedAtMs: undefined, firstAbsentAtMs: undefined },
  };
}
