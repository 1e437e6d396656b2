import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';

import { hasCode, OamError } from '../../domain/errors.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../protocol/client.ts';
import type { RunnerToken } from '../../protocol/runners.ts';
import type { Invocation } from '../invocation.ts';

/** A program's own way to one grant: it needs nobody's session, and opens nothing else. */
export interface RunnerSession {
  readonly grantId: string;
  /** The workspace's origin. */
  readonly host: string;
  /** Acts as the runner. */
  readonly client: ControlPlaneClient;
  /** Ends it at the control plane, at best effort: it ends with its grant anyway. Never throws. */
  end(): Promise<void>;
}

/** A token is renewed this long before it ends: a control plane that is away for minutes goes unnoticed. */
const RENEW_AHEAD_MS = 8 * MINUTE_MS;

/**
 * Takes a grant over with a code, and keeps the session fresh while it is used.
 *
 * @param url the control plane's origin.
 * @throws {OamError} `code_refused`, `grant_not_active`, and the transport's.
 */
export async function startRunner(
  url: string,
  code: string,
  invocation: Pick<Invocation, 'transport' | 'clock' | 'redactor' | 'signals'>,
): Promise<RunnerSession> {
  const { transport, clock, redactor, signals } = invocation;
  redactor.register(code);
  const machine = await machineName();
  const open = createControlPlaneClient({
    baseUrl: url,
    accessToken: () => Promise.resolve(undefined),
    transport,
  });
  let token = await open.call('redeemRunner', { body: { code, machine }, signal: signals.stop });
  let masked = redactor.register(token.accessToken);
  let renewing: Promise<RunnerToken> | undefined;

  const leftMs = (): number => Date.parse(token.expiresAt) - clock.nowMs();
  const renew = async (): Promise<RunnerToken> => {
    const present = createControlPlaneClient({
      baseUrl: url,
      accessToken: () => Promise.resolve(token.accessToken),
      transport,
    });
    token = await present.call('renewRunner', { body: { machine } });
    masked[Symbol.dispose]();
    masked = redactor.register(token.accessToken);
    return token;
  };
  const accessToken = async (): Promise<string> => {
    if (leftMs() > RENEW_AHEAD_MS) return token.accessToken;
    renewing ??= renew().finally(() => {
      renewing = undefined;
    });
    try {
      return (await renewing).accessToken;
    } catch (error) {
      // Whoever asks learns from the answer what became of the grant.
      if (leftMs() > 0 || hasCode(error, 'grant_not_active')) return token.accessToken;
      throw error;
    }
  };
  const client = createControlPlaneClient({ baseUrl: url, accessToken, transport });
  return {
    grantId: token.grantId,
    host: token.host,
    client,
    async end() {
      try {
        await client.call('endRunner', { params: { id: token.id } });
      } catch (error) {
        if (!(error instanceof OamError)) throw error;
      }
    },
  };
}

/** Tells this user on this machine from others, and says to nobody which it is. */
async function machineName(): Promise<string> {
  const id = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  const { uid, username } = userInfo();
  return createHash('sha256')
    .update(JSON.stringify([id.trim(), hostname(), uid, username]))
    .digest('hex');
}
