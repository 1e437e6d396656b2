import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { SMTPServer } from 'smtp-server';

import { selfSign } from '../self-signed.ts';

export const USER = 'oam';
export const PASSWORD = 'the-password-of-the-mail-account';

/** A mail as its server took it. */
export interface Mail {
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: string | undefined;
  readonly raw: string;
}

/** A mail server on loopback that insists on STARTTLS and an account, with a certificate of its own authority. */
export interface Mailbox extends AsyncDisposable {
  readonly port: number;
  readonly caFile: string;
  readonly mails: Mail[];
  /** How many of the next mails are put off (451). */
  putOff: number;
}

export async function startMailbox(): Promise<Mailbox> {
  const folder = mkdtempSync(path.join(tmpdir(), 'oam-mailbox-'));
  const { certFile: caFile, keyFile } = await selfSign(folder, 'DNS:localhost', 'IP:127.0.0.1');
  const mails: Mail[] = [];
  const box = { putOff: 0 };
  const server = new SMTPServer({
    key: readFileSync(keyFile),
    cert: readFileSync(caFile),
    // An account is only asked for, and given, after STARTTLS.
    authMethods: ['PLAIN', 'LOGIN'],
    onAuth({ username, password }, _session, callback) {
      if (username === USER && password === PASSWORD) callback(null, { user: username });
      else callback(new Error('No such account'));
    },
    onData(stream, session, callback) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        if (box.putOff > 0) {
          box.putOff -= 1;
          callback(Object.assign(new Error('Try again later'), { responseCode: 451 }));
          return;
        }
        mails.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: typeof session.user === 'string' ? session.user : undefined,
          raw: Buffer.concat(pieces).toString('utf8'),
        });
        callback();
      });
    },
  });
  server.on('error', () => undefined);
  const listening = server.listen(0, '127.0.0.1');
  if (!listening.listening) await once(listening, 'listening');
  return {
    port: (listening.address() as AddressInfo).port,
    caFile,
    mails,
    get putOff() {
      return box.putOff;
    },
    set putOff(count) {
      box.putOff = count;
    },
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The headers of a mail, unfolded, by their names in lower case; more than one of a name is a list. */
export function headersOf({ raw }: Mail): Map<string, string[]> {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ');
  const headers = new Map<string, string[]>();
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}
