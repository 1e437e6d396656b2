import { CancelledError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { createControlPlaneClient } from '../../protocol/client.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import {
  agreedStill,
  type PinBoard,
  type PinnedTrust,
  type TrustChange,
  trustChanges,
  trustOf,
} from './pinned-trust.ts';

/** What it takes to agree on whom a person trusts. */
export interface TrustAgreement {
  readonly pins: PinBoard;
  readonly transport: HttpTransport;
  /** Asks the person to consent to a change of whom they trust; false keeps what is pinned. */
  readonly confirmChange: (changes: readonly TrustChange[]) => Promise<boolean>;
  readonly logger: Logger;
}

/**
 * Whom the control plane names now, where that is what is pinned or the person agrees to the change.
 *
 * @throws {CancelledError} where they do not; and what the control plane's client throws.
 */
export async function agreedTrust(
  { pins, transport, confirmChange, logger }: TrustAgreement,
  url: string,
  signal: AbortSignal,
): Promise<PinnedTrust> {
  const stranger = createControlPlaneClient({
    baseUrl: url,
    accessToken: () => Promise.resolve(undefined),
    transport,
  });
  const offered = trustOf(await stranger.call('getConfiguration', { signal }));
  const pinned = pins.read(url);
  if (pinned === undefined) return offered;
  const changes = trustChanges(pinned, offered);
  if (changes.length === 0) return agreedStill(pinned, offered);
  logger.warn('The control plane names other parties than before', {
    what: changes.map(({ what }) => what).join(', '),
  });
  if (await confirmChange(changes)) return offered;
  throw new CancelledError();
}
