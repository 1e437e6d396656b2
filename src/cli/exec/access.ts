import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import { isPassing } from '../../broker/index.ts';
import { CancelledError, hasCode, OamError } from '../../domain/errors.ts';
import { MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import { allPages } from '../../protocol/all-pages.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView, RequestView, RoleView } from '../../protocol/schemas.ts';
import type { RequestCreate } from '../../protocol/requests.ts';
import { describeMoment } from '../duration.ts';
import { UsageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { untilActive, untilDecided, type Waiting } from '../waiting.ts';
import type { GrantUse } from './grant-uses.ts';

/** A role's grant for as long as one program runs. */
export interface RoleAccess {
  readonly grant: GrantView;
  /**
   * Gives the grant back if a program asked for it and no other one works under it, and leaves it otherwise. Never throws.
   *
   * @param as who gives it back, where that is not whoever asked: their session may be over by then.
   */
  release(as?: ControlPlaneClient): Promise<void>;
}

/** What the role is wanted for. */
export interface RoleWish {
  readonly roleId: string;
  readonly purpose: string | undefined;
  readonly ticket: string | undefined;
  /** The window in minutes; the role's usual one unless given. */
  readonly minutes: number | undefined;
}

type Surroundings = Pick<Invocation, 'clock' | 'note' | 'signals'> & {
  readonly client: ControlPlaneClient;
  /** Called before anything is asked for or waited for: throws where the role could not be used to the end. */
  readonly prepare: (role: Pick<RoleView, 'credential' | 'workspace'>) => Promise<void>;
  /** Tells the person's other programs that this one works under the grant; whether it was asked for here. */
  readonly use: (grant: GrantView, asked: boolean) => Promise<GrantUse>;
  readonly everyMs?: number;
};

/** States of a grant that is there or about to be. */
const OPEN: readonly GrantView['state'][] = ['scheduled', 'provisioning', 'active'];

/**
 * Has the role active: by a grant that is there already, or by asking for one and waiting. What was begun here is taken
 * back when waiting is called off.
 *
 * @throws {OamError} `grant_too_short` when the present grant ends before the time that is needed; what
 * `prepare` throws; the control plane's problems; those of the waits.
 */
export async function obtainRole(wish: RoleWish, around: Surroundings): Promise<RoleAccess> {
  const waiting: Waiting = {
    client: around.client,
    signal: around.signals.stop,
    note: around.note,
    ...(around.everyMs !== undefined && { everyMs: around.everyMs }),
  };
  for (let round = 1; ; round += 1) {
    const held = await openGrant(wish.roleId, around);
    try {
      return await (held === undefined ? askFor(wish, around, waiting) : join(held, wish, around, waiting));
    } catch (error) {
      // Another program of the person's asked for it, or gave it back, in this very moment.
      const crossed = hasCode(error, 'already_held') || (held !== undefined && wasReturned(error));
      if (!crossed || round === ROUNDS) throw error;
    }
  }
}

const ROUNDS = 3;

async function join(
  held: GrantView,
  wish: RoleWish,
  around: Surroundings,
  waiting: Waiting,
): Promise<RoleAccess> {
  await around.prepare(held.role);
  const use = await around.use(held, false);
  try {
    const grant = await untilActive(held.id, waiting);
    assertLongEnough(grant, wish, around.clock.nowMs());
    around.note(`Using your grant of ${grant.role.title}${endOf(grant, around.clock.nowMs())}.`);
    return { grant, release: (as) => release(use, grant, as, around) };
  } catch (error) {
    await use.leave(() => giveBack(held.id, around));
    throw error;
  }
}

async function askFor(wish: RoleWish, around: Surroundings, waiting: Waiting): Promise<RoleAccess> {
  const body = await requestFor(wish, around);
  let request: RequestView;
  try {
    // Without the stop signal: an answer that nobody waits for would leave a request that nobody knows of.
    request = await around.client.call('createRequest', { body, idempotencyKey: randomUUID() });
  } catch (error) {
    const asked = hasCode(error, 'already_requested') ? await openRequest(wish.roleId, around) : undefined;
    if (asked === undefined) throw error;
    around.note(`You have asked for ${asked.role.title} (request ${asked.id}); waiting for approval.`);
    const { grantId } = await untilDecided(asked.id, waiting);
    const held = await around.client.call('getGrant', { params: { id: grantId } });
    return join(held, wish, around, waiting);
  }
  let grantId = request.grantId;
  try {
    if (request.state === 'pending' || request.state === 'awaiting_requester') {
      around.note(`Asked for ${request.role.title} (request ${request.id}); waiting for approval.`);
    }
    grantId ??= (await untilDecided(request.id, waiting)).grantId;
    const grant = await untilActive(grantId, waiting);
    const use = await around.use(grant, true);
    around.note(`${grant.role.title} is active${endOf(grant, around.clock.nowMs())}.`);
    return { grant, release: (as) => release(use, grant, as, around) };
  } catch (error) {
    await takeBack(request.id, grantId, around);
    throw error;
  }
}

async function release(
  use: GrantUse,
  grant: GrantView,
  as: ControlPlaneClient | undefined,
  around: Surroundings,
): Promise<void> {
  const last = await use.leave(() =>
    giveBack(grant.id, as === undefined ? around : { ...around, client: as }),
  );
  if (!last) {
    around.note(
      `${grant.role.title} stays: other programs of yours work with it here, and the last one returns what was asked for.`,
    );
  }
}

function wasReturned(error: unknown): boolean {
  return error instanceof OamError && error.code === 'grant_ended' && error.detail === 'returned';
}

/** What the person asked for elsewhere and nobody has decided yet; not what extends, or is to begin at a time of its own. */
async function openRequest(roleId: string, around: Surroundings): Promise<RequestView | undefined> {
  const { stop } = around.signals;
  const requests = await allPages((page) =>
    around.client.call('listRequests', { query: { ...page, scope: 'mine' }, signal: stop }),
  );
  return requests.find(
    ({ role, state, startsAt, ...request }) =>
      role.id === roleId &&
      startsAt === null &&
      request.extends === null &&
      (state === 'pending' || state === 'awaiting_requester'),
  );
}

async function openGrant(roleId: string, around: Surroundings): Promise<GrantView | undefined> {
  const { stop } = around.signals;
  const grants = await allPages((page) =>
    around.client.call('listGrants', { query: { ...page, scope: 'mine', open: 'true' }, signal: stop }),
  );
  return grants.find((grant) => grant.role.id === roleId && isThere(grant));
}

/** What waits for a start of its own is not for this program. */
function isThere({ state, startsAt }: GrantView): boolean {
  return OPEN.includes(state) && (startsAt === null || state !== 'scheduled');
}

async function requestFor(wish: RoleWish, around: Surroundings): Promise<RequestCreate> {
  if (wish.purpose === undefined) {
    throw new UsageError("Say what the access is for, with --purpose '…'.");
  }
  const { items } = await around.client.call('listRoles', { signal: around.signals.stop });
  const role = items.find(({ id }) => id === wish.roleId);
  if (around.signals.stop.aborted) throw new CancelledError();
  if (role !== undefined) await around.prepare(role);
  return {
    roleId: wish.roleId,
    purpose: wish.purpose,
    ...(wish.ticket !== undefined && { ticket: wish.ticket }),
    // A role that the list does not show is the control plane's to refuse, in its words and on its record.
    minutes: wish.minutes ?? role?.defaultMinutes ?? 60,
  };
}

function assertLongEnough(grant: GrantView, wish: RoleWish, now: number): void {
  if (wish.minutes === undefined || grant.endsAt === null) return;
  const neededUntil = now + wish.minutes * MINUTE_MS;
  // A minute of grace: the window began when the grant did, not when it was typed.
  if (Date.parse(grant.endsAt) + MINUTE_MS >= neededUntil) return;
  throw new OamError(
    'grant_too_short',
    'The grant that you hold ends before the time that you need, so nothing was started. Extend it with `oam extend`, or ask for less with --for.',
    { detail: `grant ${grant.id} ends at ${describeMoment(Date.parse(grant.endsAt), now)}` },
  );
}

async function takeBack(requestId: string, grantId: string | null, around: Surroundings): Promise<void> {
  const { client } = around;
  if (grantId !== null) return giveBack(grantId, around);
  try {
    await client.call('cancelRequest', { params: { id: requestId } });
    around.note(`Took the request ${requestId} back.`);
  } catch {
    // It was decided in this very moment, or cannot be reached: what is there tells.
    const request = await client.call('getRequest', { params: { id: requestId } }).catch(() => undefined);
    if (typeof request?.grantId === 'string') return giveBack(request.grantId, around);
    if (request === undefined || request.state === 'pending' || request.state === 'awaiting_requester') {
      around.note(`The request ${requestId} could not be taken back. Do so with: oam cancel ${requestId}`);
    }
  }
}

/** A control plane that is brought up to date is back within a minute, and who waits for it has nothing else to do. */
const RETURN_WITHIN_MS = MINUTE_MS;
/** So often within that time, where the answers come at once. */
const TRIES = 60;

/** Returns a grant, or says how the person does. Never throws. */
export async function giveBack(
  grantId: string,
  around: Pick<Surroundings, 'client' | 'clock' | 'note' | 'everyMs'>,
): Promise<void> {
  const untilMs = around.clock.nowMs() + RETURN_WITHIN_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const grant = await around.client.call('returnGrant', { params: { id: grantId } });
      around.note(`Returned ${grant.role.title}.`);
      return;
    } catch (error) {
      if (hasCode(error, 'grant_not_active')) return;
      const hasTime = attempt < TRIES && around.clock.nowMs() < untilMs;
      if (hasTime && error instanceof OamError && isPassing(error.code)) {
        if (attempt === 1) around.note(`${error.sentence} Trying for a minute to return the access.`);
        await pause(around.everyMs ?? SECOND_MS);
        continue;
      }
      const why = error instanceof OamError ? ` ${error.sentence}` : '';
      around.note(
        `The grant could not be returned; it ends by itself, or with: oam return ${grantId}.${why}`,
      );
      return;
    }
  }
}

function endOf(grant: GrantView, now: number): string {
  return grant.endsAt === null ? '' : ` until ${describeMoment(Date.parse(grant.endsAt), now)}`;
}
