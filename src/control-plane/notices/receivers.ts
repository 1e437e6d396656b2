import { readFile } from 'node:fs/promises';

import { OamError } from '../../domain/errors.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { faultOfReceiverAddress } from '../configuration/origin.ts';
import { secretFrom } from '../configuration/secret.ts';
import { type SigningKey, signingKey } from '../webhooks/signature.ts';
import type { NoticeSettings } from './settings.ts';

/** A mail server that takes notices. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  readonly security: 'starttls' | 'tls' | 'none';
  readonly ca: string | undefined;
  readonly account: { readonly user: string; readonly pass: string } | undefined;
  readonly from: string;
}

/** Who takes notices, with what opens their doors. */
export type Receiver = { readonly name: string } & (
  | { readonly kind: 'slack' | 'microsoftTeams'; readonly url: string }
  | { readonly kind: 'webhook'; readonly url: string; readonly keys: readonly SigningKey[] }
  | { readonly kind: 'mail'; readonly to: readonly string[] }
);

/** All receivers of a control plane. */
export interface Receivers {
  readonly channels: readonly Receiver[];
  readonly mailServer: MailServer | undefined;
}

/**
 * Reads what the settings only name. Addresses of webhooks open a door by themselves: they are secrets like the others,
 * and masked from here on.
 *
 * @throws {OamError} `secret_missing`, `secret_malformed`, `notice_receiver_unusable`.
 */
export async function readReceivers(
  settings: NoticeSettings | undefined,
  redactor: Redactor,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Receivers> {
  if (settings === undefined) return { channels: [], mailServer: undefined };
  const secret = async (reference: string): Promise<string> => {
    const value = await secretFrom(reference, environment);
    redactor.register(value);
    return value;
  };
  const address = async ({ name, url: reference }: { name: string; url: string }): Promise<string> => {
    const url = await secret(reference);
    const fault = faultOfReceiverAddress(url);
    if (fault !== undefined) throw unusable(name, `its address ${fault}`);
    const { pathname, search } = new URL(url);
    redactor.register(pathname + search);
    return url;
  };
  const channels: Receiver[] = [];
  for (const channel of settings.slack) {
    channels.push({ kind: 'slack', name: channel.name, url: await address(channel) });
  }
  for (const channel of settings.microsoftTeams) {
    channels.push({ kind: 'microsoftTeams', name: channel.name, url: await address(channel) });
  }
  for (const channel of settings.webhooks) {
    const keys: SigningKey[] = [];
    for (const reference of [channel.secret, channel.previousSecret]) {
      if (reference !== undefined) keys.push(signingKey(await secret(reference), channel.name));
    }
    channels.push({ kind: 'webhook', name: channel.name, url: await address(channel), keys });
  }
  const { mail } = settings;
  for (const { name, to } of mail?.lists ?? []) channels.push({ kind: 'mail', name, to });
  return { channels, mailServer: mail && (await readMailServer(mail, secret)) };
}

async function readMailServer(
  mail: NonNullable<NoticeSettings['mail']>,
  secret: (reference: string) => Promise<string>,
): Promise<MailServer> {
  const { host, port, security, user, password, from, caFile } = mail;
  return {
    ...{ host, port, security, from },
    ca: caFile === undefined ? undefined : await readAuthority(caFile),
    account:
      user === undefined || password === undefined ? undefined : { user, pass: await secret(password) },
  };
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new OamError(
      'notice_receiver_unusable',
      'The file of notices.mail.caFile is missing or cannot be read. Put it there and start again.',
      { detail: file, cause: error },
    );
  }
}

function unusable(name: string, fault: string): OamError {
  return new OamError(
    'notice_receiver_unusable',
    'A channel of the notices cannot be used. Correct its secrets and start again.',
    { detail: `${name}: ${fault}` },
  );
}
