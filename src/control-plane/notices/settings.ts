import { resolve } from 'node:path';

import * as z from 'zod/mini';

import { didYouMean } from '../configuration/nearest.ts';
import { isLoopback } from '../configuration/origin.ts';
import { fromFolder, SecretReference } from '../configuration/secret.ts';
import { MailAddress } from './mail-address.ts';

const Text = z.string().check(z.minLength(1));

const Name = z.string().check(
  z.regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, {
    error: 'must be lower-case letters, digits, dots, hyphens and underscores, at most 100 of them.',
  }),
);

const Mail = z.strictObject({
  host: Text,
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  /** `starttls` and `tls` insist on it: nothing is sent in clear where the server does not offer it. */
  security: z._default(z.enum(['starttls', 'tls', 'none']), 'starttls'),
  /** Certificates of a private authority, in PEM. */
  caFile: z.optional(Text),
  user: z.optional(Text),
  password: z.optional(SecretReference),
  from: MailAddress,
  lists: z._default(
    z.array(z.strictObject({ name: Name, to: z.array(MailAddress).check(z.minLength(1), z.maxLength(50)) })),
    [],
  ),
  /** True where people are told by mail how their own requests were decided. */
  requesters: z._default(z.boolean(), false),
});

const Names = z.array(Name).check(z.minLength(1));

/** The section `notices` of the configuration's file. */
export const NoticeSettings = z.strictObject({
  slack: z._default(z.array(z.strictObject({ name: Name, url: SecretReference })), []),
  microsoftTeams: z._default(z.array(z.strictObject({ name: Name, url: SecretReference })), []),
  webhooks: z._default(
    z.array(
      z.strictObject({
        name: Name,
        url: SecretReference,
        secret: SecretReference,
        /** The secret before, while it is being replaced. */
        previousSecret: z.optional(SecretReference),
      }),
    ),
    [],
  ),
  mail: z.optional(Mail),
  /** The channels that hear of a team's requests, by the team's name. */
  teams: z._default(z.record(Name, Names), {}),
  /** The channels that hear of a role's requests in place of its team's, by the role's id. */
  roles: z._default(z.record(Name, Names), {}),
  /** The channels that hear of what is wrong, and of every emergency. */
  operations: z._default(z.array(Name), []),
  /** The editor that links open. */
  editor: z._default(
    z.enum(['vscode', 'vscode-insiders', 'vscodium', 'code-oss', 'cursor', 'windsurf']),
    'vscode',
  ),
  /** How long before a request lapses its approvers are reminded; 0 for never. */
  remindMinutes: z._default(z.int().check(z.minimum(0), z.maximum(10_080)), 60),
  /** After how long a notice that nobody takes is given up. */
  giveUpHours: z._default(z.int().check(z.minimum(1), z.maximum(168)), 24),
});

/** See {@link NoticeSettings}. Where secrets lie, never what they are. */
export type NoticeSettings = z.infer<typeof NoticeSettings>;

/** The name of what is no channel: mail to people about their own requests. */
export const REQUESTERS = 'requesters';

/** Tells what a schema cannot see: names that must exist, and what must not be sent in clear. */
export function faultsOfNotices(
  settings: NoticeSettings,
  complain: (at: readonly string[], message: string | undefined) => void,
): void {
  const lists = [
    ['slack', settings.slack],
    ['microsoftTeams', settings.microsoftTeams],
    ['webhooks', settings.webhooks],
    ['mail', settings.mail?.lists ?? []],
  ] as const;
  const names: string[] = [REQUESTERS];
  for (const [at, channels] of lists) {
    for (const { name } of channels) {
      if (names.includes(name)) complain([at], `has a channel whose name is taken: ${name}`);
      names.push(name);
    }
  }
  const told = new Set<string>();
  const tell = (at: readonly string[], channels: readonly string[]): void => {
    for (const channel of channels) {
      told.add(channel);
      const known = names.slice(1);
      if (!known.includes(channel)) {
        complain(at, `names a channel that there is not: ${channel}.${didYouMean(channel, known)}`);
      }
    }
  };
  for (const by of ['teams', 'roles'] as const) {
    for (const [name, channels] of Object.entries(settings[by])) tell([by, name], channels);
  }
  tell(['operations'], settings.operations);
  for (const name of names.slice(1)) {
    if (!told.has(name)) {
      complain([], `has a channel that no team, no role and not operations is told by: ${name}`);
    }
  }
  if (settings.mail !== undefined) faultsOfMail(settings.mail, complain);
}

function faultsOfMail(
  { host, security, user, password }: z.infer<typeof Mail>,
  complain: (at: readonly string[], message: string | undefined) => void,
): void {
  if (security === 'none' && !isLoopback(host)) {
    complain(['mail', 'security'], 'can be none only for 127.0.0.1: requests would travel in clear.');
  }
  if ((user === undefined) !== (password === undefined)) {
    complain(['mail', 'password'], 'and mail.user go together: give both or neither.');
  }
}

/** The settings with files found wherever the server was started from. */
export function settledIn(folder: string, settings: NoticeSettings): NoticeSettings {
  const url = <T extends { url: string }>(channel: T): T => ({
    ...channel,
    url: fromFolder(folder, channel.url),
  });
  const { mail } = settings;
  return {
    ...settings,
    slack: settings.slack.map(url),
    microsoftTeams: settings.microsoftTeams.map(url),
    webhooks: settings.webhooks.map((channel) => ({
      ...url(channel),
      secret: fromFolder(folder, channel.secret),
      ...(channel.previousSecret !== undefined && {
        previousSecret: fromFolder(folder, channel.previousSecret),
      }),
    })),
    ...(mail && {
      mail: {
        ...mail,
        ...(mail.password !== undefined && { password: fromFolder(folder, mail.password) }),
        ...(mail.caFile !== undefined && { caFile: resolve(folder, mail.caFile) }),
      },
    }),
  };
}
