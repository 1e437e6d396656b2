import type { EpochMs } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { signatureHeaders } from '../webhooks/signature.ts';
import { type GenericNotice, genericMessage } from './generic.ts';
import { mailThrough, type SendMail } from './mail.ts';
import { teamsMessage } from './microsoft-teams.ts';
import { faultOfPage, post } from './post.ts';
import type { Receiver, Receivers } from './receivers.ts';
import { REQUESTERS } from './settings.ts';
import { slackMessage } from './slack.ts';
import { type LinkTo, wordsOf } from './words.ts';

/** One try to send a notice. */
export interface Sending extends GenericNotice {
  /** The same with every try. */
  readonly id: string;
  /** The notice that this one follows in the same channel. */
  readonly follows: string | undefined;
  readonly nowMs: EpochMs;
  readonly signal: AbortSignal;
}

/** A channel that notices are sent to. */
export interface Channel {
  readonly name: string;
  /**
   * Resolves when the receiver has it, or where there is nobody who may have it.
   *
   * @throws whatever kept it from being taken.
   */
  send(sending: Sending): Promise<void>;
}

/** What sending needs. */
export interface SendingParts {
  readonly transport: HttpTransport;
  readonly linkTo: LinkTo;
  /** Those of a list's addresses that are nobody's who has left. */
  readonly present: (addresses: readonly string[]) => Promise<readonly string[]>;
  /** The requester's address, where one is known and they have not left. */
  readonly addressOfRequester: (requestId: string) => Promise<string | undefined>;
}

/** The channels of a control plane; mail to requesters is one of them where there is a mail server. */
export function channelsOf({ channels, mailServer }: Receivers, parts: SendingParts): Channel[] {
  const sendMail = mailServer && mailThrough(mailServer);
  const named = channels.map((receiver): Channel => ({
    name: receiver.name,
    send: (sending) => sendTo(receiver, sendMail, parts, sending),
  }));
  if (sendMail === undefined) return named;
  const toRequesters: Channel = {
    name: REQUESTERS,
    async send(sending) {
      const address = await parts.addressOfRequester(sending.requestId);
      if (address !== undefined) await mailTo([address], sendMail, parts, sending);
    },
  };
  return [...named, toRequesters];
}

async function sendTo(
  receiver: Receiver,
  sendMail: SendMail | undefined,
  parts: SendingParts,
  sending: Sending,
): Promise<void> {
  const { transport, linkTo } = parts;
  const { content, requestId, nowMs, signal } = sending;
  switch (receiver.kind) {
    case 'slack':
      return post(transport, {
        url: receiver.url,
        body: slackMessage(wordsOf(content, requestId, linkTo)),
        ...{ nowMs, signal },
        // It says so as if it were a page.
        faultOf: ({ text }) => (text.trim() === 'ok' ? undefined : 'an answer that is not ok'),
      });
    case 'microsoftTeams':
      return post(transport, {
        url: receiver.url,
        body: teamsMessage(wordsOf(content, requestId, linkTo)),
        ...{ nowMs, signal },
        faultOf: faultOfPage,
      });
    case 'webhook': {
      const body = genericMessage(sending, linkTo);
      return post(transport, {
        url: receiver.url,
        headers: { ...signatureHeaders(receiver.keys, { id: sending.id, sentAtMs: nowMs, body }) },
        body,
        ...{ nowMs, signal },
        faultOf: faultOfPage,
      });
    }
    case 'mail': {
      if (sendMail === undefined) throw new TypeError('There is no mail server.');
      const to = await parts.present(receiver.to);
      if (to.length > 0) await mailTo(to, sendMail, parts, sending);
    }
  }
}

async function mailTo(
  to: readonly string[],
  sendMail: SendMail,
  { linkTo }: SendingParts,
  { id, follows, content, requestId, signal }: Sending,
): Promise<void> {
  const words = wordsOf(content, requestId, linkTo);
  await sendMail({ id, inReplyTo: follows, to, words }, signal);
}
