import { setTimeout as pause } from 'node:timers/promises';

import { isPassing } from '../broker/index.ts';
import { CancelledError, OamError } from '../domain/errors.ts';
import { SECOND_MS } from '../domain/time.ts';
import type { ControlPlaneClient } from '../protocol/client.ts';
import { latestGrant } from '../protocol/latest-grant.ts';
import type { GrantView, RequestView } from '../protocol/schemas.ts';

/** What the waits below need. */
export interface Waiting {
  readonly client: ControlPlaneClient;
  readonly signal: AbortSignal;
  /** Told once of each thing that stands in the way. */
  readonly note: (line: string) => void;
  /** Between two looks, in milliseconds; a second unless given. */
  readonly everyMs?: number;
}

/**
 * So many looks may fail in a row before waiting is given up, an hour at least: an approval is waited for through an evening, in
 * which a control plane is brought up to date and a machine sleeps, and what is given up is approved later for nobody.
 */
const PATIENCE = 3_600;

/**
 * Waits until a request is decided.
 *
 * @returns the request once it is approved and its grant exists.
 * @throws {OamError} `request_denied`, `request_cancelled`, `request_lapsed`, with what the approvers said.
 * @throws {CancelledError} when the signal fires.
 */
export async function untilDecided(id: string, waiting: Waiting): Promise<RequestView & { grantId: string }> {
  return watch(waiting, async () => {
    const request = await waiting.client.call('getRequest', { params: { id }, signal: waiting.signal });
    const { grantId } = request;
    switch (request.state) {
      case 'approved':
        return grantId === null ? undefined : { ...request, grantId };
      case 'denied':
        throw refusedRequest('request_denied', 'The request was denied.', request);
      case 'cancelled':
        throw refusedRequest(
          'request_cancelled',
          'The request was taken back. Ask again if you need it.',
          request,
        );
      case 'lapsed':
        throw refusedRequest('request_lapsed', 'Nobody decided the request in time. Ask again.', request);
      case 'pending':
      case 'awaiting_requester':
        return undefined;
    }
  });
}

/**
 * Waits until a grant is active, that is, until Databricks was seen to have it.
 *
 * @throws {OamError} `grant_failed`, `grant_ended`.
 * @throws {CancelledError} when the signal fires.
 */
export async function untilActive(id: string, waiting: Waiting): Promise<GrantView> {
  let told: string | null = null;
  return watch(waiting, async () => {
    // Somebody may extend it in the second between two looks.
    const grant = await latestGrant(waiting.client, id, waiting.signal);
    switch (grant.state) {
      case 'active':
        return grant;
      case 'scheduled':
      case 'provisioning':
        if (grant.trouble !== null && grant.trouble !== told) waiting.note(grant.trouble);
        told = grant.trouble;
        return undefined;
      case 'failed':
        throw new OamError('grant_failed', 'The access could not be set up. Ask again, or tell your admin.', {
          ...(grant.trouble !== null && { detail: grant.trouble }),
        });
      case 'revoking':
      case 'revoke_stuck':
      case 'ended':
        throw new OamError('grant_ended', 'The access ended before it was used. Ask again if you need it.', {
          ...(grant.endReason !== null && { detail: grant.endReason }),
        });
    }
  });
}

async function watch<T>(waiting: Waiting, look: () => Promise<T | undefined>): Promise<T> {
  let failures = 0;
  for (;;) {
    if (waiting.signal.aborted) throw new CancelledError();
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
      failures = 0;
    } catch (error) {
      const passing = error instanceof OamError && isPassing(error.code);
      failures += 1;
      if (!passing || failures > PATIENCE) throw error;
      if (failures === 1 && error instanceof OamError) waiting.note(`${error.sentence} Still waiting.`);
    }
    await pause(waiting.everyMs ?? SECOND_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
  }
}

function refusedRequest(code: string, sentence: string, request: RequestView): OamError {
  const words = request.approvals
    .filter(({ verdict, comment }) => verdict === 'denied' && comment !== null)
    .map(({ approver, comment }) => `${approver.displayName}: ${comment ?? ''}`);
  return new OamError(code, sentence, words.length === 0 ? {} : { detail: words.join('\n') });
}
