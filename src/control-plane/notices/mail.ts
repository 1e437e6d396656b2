import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { escapeHtml } from '../../domain/html.ts';
import { SECOND_MS } from '../../domain/time.ts';
import type { MailServer } from './receivers.ts';
import type { NoticeWords } from './words.ts';

/** A mail. */
export interface MailMessage {
  /** The same where it is sent again: mailboxes show one of several with the same. */
  readonly id: string;
  /** The mail that this one belongs to. */
  readonly inReplyTo: string | undefined;
  readonly to: readonly string[];
  readonly words: NoticeWords;
}

/** Sends mails. */
export type SendMail = (message: MailMessage, signal: AbortSignal) => Promise<void>;

/** Each step of the exchange; all of them together stay far below a lease. */
const STEP_MS = 10 * SECOND_MS;

const WHOLE_MS = 30 * SECOND_MS;

const SUBJECT_CHARACTERS = 150;

/** Mail through a server. The library is loaded with the first mail. */
export function mailThrough(server: MailServer): SendMail {
  const { host, port } = server;
  return async (message, signal) => {
    // Ours, so that it ends when the time is over: a server that says a little every few seconds keeps it alive.
    const connection = connect({ host, port });
    connection.on('error', () => undefined);
    try {
      await once(connection, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(STEP_MS)]) });
      const late = aborted(AbortSignal.any([signal, AbortSignal.timeout(WHOLE_MS)]));
      await Promise.race([sendOver(connection, server, message), late]);
    } finally {
      connection.destroy();
    }
  };
}

async function sendOver(
  connection: Socket,
  server: MailServer,
  { id, inReplyTo, to, words }: MailMessage,
): Promise<void> {
  const { createTransport } = await import('nodemailer');
  const transporter = createTransport({
    connection,
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    requireTLS: server.security === 'starttls',
    ignoreTLS: server.security === 'none',
    ...(server.account && { auth: { ...server.account } }),
    ...(server.ca !== undefined && { tls: { ca: server.ca } }),
    greetingTimeout: STEP_MS,
    socketTimeout: STEP_MS,
    // What is in a mail is text, and never the name of a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = server.from.slice(server.from.indexOf('@') + 1);
  const headerId = (notice: string): string => `<${notice}@${domain}>`;
  await transporter.sendMail({
    from: server.from,
    to: to.map((address) => ({ name: '', address })),
    subject: [...words.headline].slice(0, SUBJECT_CHARACTERS).join(''),
    text: textOf(words),
    html: htmlOf(words),
    messageId: headerId(id),
    ...(inReplyTo !== undefined && { inReplyTo: headerId(inReplyTo), references: headerId(inReplyTo) }),
    ...(words.loud && { priority: 'high' as const }),
    headers: { 'Auto-Submitted': 'auto-generated' },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new Error('The mail server took too long.'));
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
  });
}

function textOf({ headline, facts, link }: NoticeWords): string {
  return [
    headline,
    '',
    ...facts.map(({ label, value }) => `${label}: ${value}`),
    ...(link === undefined ? [] : ['', `${link.label}: ${link.url}`, '', NOTHING_BY_LINK]),
    '',
  ].join('\n');
}

function htmlOf({ headline, facts, link }: NoticeWords): string {
  const rows = facts.map(
    ({ label, value }) =>
      `<tr><th align="left" valign="top">${escapeHtml(label)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return [
    '<!doctype html><html lang="en"><body>',
    `<p><b>${escapeHtml(headline)}</b></p>`,
    `<table>${rows.join('')}</table>`,
    ...(link === undefined
      ? []
      : [
          `<p><a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a></p>`,
          `<p>${escapeHtml(NOTHING_BY_LINK)}</p>`,
        ]),
    '</body></html>',
  ].join('\n');
}

const NOTHING_BY_LINK = 'The link only shows the request. You decide in the editor, signed in.';
