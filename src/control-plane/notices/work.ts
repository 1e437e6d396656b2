import type { HttpTransport } from '../../protocol/transport.ts';
import type { DirectoryLink } from '../directory/link.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { addressOfRequester, present } from './addresses.ts';
import { type DeliveryParts, deliverNext, giveUpOverdue } from './deliver.ts';
import { forgetCauses, makeFromNextCause, remindOfLapsing } from './make.ts';
import { linkToEditor } from './page.ts';
import type { Receivers } from './receivers.ts';
import { channelsOf } from './send.ts';
import type { NoticeSettings } from './settings.ts';

/** What telling people by chat and mail needs. */
export interface NoticeParts extends Omit<DeliveryParts, 'stopping'> {
  readonly transport: HttpTransport;
  /** Undefined where nobody is to be told of anything. */
  readonly settings: NoticeSettings | undefined;
  readonly receivers: Receivers;
  readonly directory: DirectoryLink | undefined;
  /** The origin that links lead to. */
  readonly publicUrl: string;
  readonly pollMs: number;
}

/**
 * Starts to tell people: one loop makes notices out of what happened, and one for each channel sends them, so that a
 * receiver that hangs holds up nobody but itself.
 */
export function startNotices(parts: NoticeParts): Pick<Loop, 'wake' | 'stop'> {
  const { db, logger, pollMs, settings, receivers, directory, publicUrl, transport } = parts;
  if (settings === undefined) {
    const work = async (): Promise<boolean> => {
      await forgetCauses(parts);
      return false;
    };
    return startLoop({ name: 'notices', pollMs: 10 * SECOND_MS, logger, work });
  }
  const stopping = new AbortController();
  const delivery: DeliveryParts = { ...parts, stopping: stopping.signal };
  const channels = channelsOf(receivers, {
    transport,
    linkTo: linkToEditor(publicUrl),
    present: (addresses) => present(db, addresses),
    addressOfRequester: (requestId) => addressOfRequester(db, directory, requestId),
  });
  const sending = channels.map((channel) =>
    startLoop({
      name: `notices/${channel.name}`,
      ...{ pollMs, logger },
      work: () => deliverNext(delivery, channel),
    }),
  );
  const making = startLoop({
    name: 'notices',
    ...{ pollMs, logger },
    work: async () => {
      if (await makeFromNextCause({ db, logger, settings })) {
        for (const loop of sending) loop.wake();
        return true;
      }
      await remindOfLapsing({ db, logger, settings });
      await giveUpOverdue(delivery);
      return false;
    },
  });
  return {
    wake: () => making.wake(),
    async stop() {
      stopping.abort();
      await Promise.all([making, ...sending].map((loop) => loop.stop()));
    },
  };
}
