import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import type { PrincipalKey } from '../domain/principal.ts';
import type { IdentityConfiguration } from './configuration.ts';

const ListedAccount = z.readonly(
  z.object({ key: z.string(), iss: z.string(), sub: z.string(), userName: z.string() }),
);
/** Somebody who has signed in on this machine and did not sign out. */
export type ListedAccount = z.infer<typeof ListedAccount>;

const AccountList = z.readonly(
  z.object({ acting: z.optional(z.string()), accounts: z.readonly(z.array(ListedAccount)) }),
);
/** The accounts, and the key of the one that acts: there is one at a time for all windows of a machine. */
export type AccountList = z.infer<typeof AccountList>;

/** Nobody has signed in. */
export const NO_ACCOUNTS: AccountList = { accounts: [] };

/** The key of somebody's account: opaque, so that the names of secrets and files tell nothing. */
export function accountKey({ iss, sub }: PrincipalKey): string {
  return createHash('sha256')
    .update(JSON.stringify([iss, sub]))
    .digest('hex')
    .slice(0, 32);
}

/** The key of the accounts at a control plane, an identity provider and a client: others' sessions are never found under it. */
export function partiesKey(
  controlPlaneUrl: string,
  { issuer, clientId, audience }: Pick<IdentityConfiguration, 'issuer' | 'clientId' | 'audience'>,
): string {
  return createHash('sha256')
    .update(JSON.stringify([controlPlaneUrl, issuer, clientId, audience]))
    .digest('hex')
    .slice(0, 32);
}

/** Reads what is stored; what is no list names nobody, and neither does an acting account that is not in it. */
export function parseAccountList(text: string | undefined): AccountList {
  if (text === undefined) return NO_ACCOUNTS;
  try {
    const { acting, accounts } = AccountList.parse(JSON.parse(text));
    const listed = accounts.filter((account) => account.key === accountKey(account));
    return listed.some(({ key }) => key === acting) ? { acting, accounts: listed } : { accounts: listed };
  } catch {
    return NO_ACCOUNTS;
  }
}

/** The list with an account in it, which acts if that is wanted. */
export function withAccount(list: AccountList, account: ListedAccount, acting: string): AccountList {
  return { acting, accounts: [...list.accounts.filter(({ key }) => key !== account.key), account] };
}

/** The list without an account; nobody acts where it was the one. */
export function withoutAccount(list: AccountList, key: string): AccountList {
  const accounts = list.accounts.filter((account) => account.key !== key);
  return list.acting === undefined || list.acting === key ? { accounts } : { ...list, accounts };
}
