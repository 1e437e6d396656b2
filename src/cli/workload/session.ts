import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../protocol/client.ts';
import { TOKEN_PATH } from '../../protocol/token-exchange.ts';
import type { Invocation } from '../invocation.ts';
import type { WorkloadIdentity } from './identity.ts';

/** A job's way to the control plane. */
export interface WorkloadSession {
  readonly client: ControlPlaneClient;
  /**
   * Exchanges a fresh token of the job's: to the control plane that is the proof that its run lives.
   *
   * @throws {OamError} as {@link openWorkloadSession}.
   */
  proveAlive(): Promise<void>;
}

/** A token is replaced this long before its end: a control plane that is away for minutes goes unnoticed. */
const RENEW_AHEAD_MS = 8 * MINUTE_MS;

/**
 * Opens the control plane with the identity that the place gives the job, and keeps it open while it is used.
 *
 * @param url the control plane's origin.
 * @throws {OamError} `workload_refused`, `no_workload_token`, `unexpected_answer`, and the transport's.
 */
export async function openWorkloadSession(
  url: string,
  identity: WorkloadIdentity,
  invocation: Pick<Invocation, 'transport' | 'clock' | 'redactor' | 'signals'>,
): Promise<WorkloadSession> {
  const { transport, clock, redactor, signals } = invocation;
  let held: { readonly accessToken: string; readonly expiresAtMs: EpochMs };
  let masked: Disposable | undefined;
  let opening: Promise<void> | undefined;

  const open = async (signal: AbortSignal): Promise<void> => {
    const subjectToken = await identity.subjectToken(signal);
    const hidden = redactor.register(subjectToken);
    try {
      await exchange(subjectToken, signal);
    } finally {
      hidden[Symbol.dispose]();
    }
  };
  const exchange = async (subjectToken: string, signal: AbortSignal): Promise<void> => {
    const askedAtMs = clock.nowMs();
    const { status, text } = await transport({
      method: 'POST',
      url: new URL(TOKEN_PATH, url).href,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: subjectToken,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      }).toString(),
      signal,
    });
    const said = read(text);
    if (status !== 200) throw refusal(status, said);
    const answer = Opened.safeParse(said);
    if (!answer.success) throw unexpected();
    const { access_token: accessToken, expires_in: seconds } = answer.data;
    masked?.[Symbol.dispose]();
    masked = redactor.register(accessToken);
    held = { accessToken, expiresAtMs: askedAtMs + seconds * SECOND_MS };
  };
  const proveAlive = (signal: AbortSignal = new AbortController().signal): Promise<void> => {
    opening ??= open(signal).finally(() => {
      opening = undefined;
    });
    return opening;
  };

  await open(signals.stop);
  const client = createControlPlaneClient({
    baseUrl: url,
    async accessToken() {
      const leftMs = held.expiresAtMs - clock.nowMs();
      if (leftMs > RENEW_AHEAD_MS) return held.accessToken;
      try {
        await proveAlive();
      } catch (error) {
        if (held.expiresAtMs <= clock.nowMs()) throw error;
      }
      return held.accessToken;
    },
    transport,
  });
  return { client, proveAlive: () => proveAlive() };
}

const Opened = z.object({ access_token: z.string().check(z.minLength(1)), expires_in: z.int() });

const Refused = z.object({ error: z.string(), error_description: z.optional(z.string()) });

function read(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refusal(status: number, said: unknown): OamError {
  const refused = Refused.safeParse(said);
  if (!refused.success) return status >= 500 ? away(status) : unexpected();
  const { error, error_description: why } = refused.data;
  if (status >= 500) {
    return new OamError('temporarily_unavailable', why ?? 'The control plane cannot judge the job now.', {
      detail: error,
    });
  }
  return new OamError(
    'workload_refused',
    'The control plane does not take this job for one that may ask. See `workloads` in its configuration.',
    { detail: why ?? error },
  );
}

/** A proxy or a load balancer says so in pages of its own. */
function away(status: number): OamError {
  return new OamError(
    'temporarily_unavailable',
    'What stands before the control plane says that it is away. Try again in a moment.',
    { detail: `status ${status}` },
  );
}

function unexpected(): OamError {
  return new OamError(
    'unexpected_answer',
    'This is not an answer of a control plane. Is OAM_URL its address?',
  );
}
