import { type Kysely, sql } from 'kysely';
import * as z from 'zod/mini';

import { findPrincipal } from '../authentication/principals.ts';
import { type DirectoryLink, findLinked } from '../directory/link.ts';
import { findRequest } from '../requests/rows.ts';
import type { Database } from '../store/tables.ts';
import { isMailAddress } from './mail-address.ts';

const Emails = z.object({
  emails: z.array(z.object({ value: z.string(), primary: z.optional(z.boolean()) })),
});

/**
 * Where a request's requester gets mail: the directory's word, else a user name that is an address. Undefined for
 * workloads, and for people who are not active in the directory.
 */
export async function addressOfRequester(
  db: Kysely<Database>,
  link: DirectoryLink | undefined,
  requestId: string,
): Promise<string | undefined> {
  const request = await findRequest(db, requestId);
  const person = request && (await findPrincipal(db, request.requester));
  if (person === undefined || person.workload !== undefined) return undefined;
  const known = [person.userName];
  if (link?.issuer === person.iss) {
    const linked = await findLinked(db, link, person.sub);
    if (linked?.active === false) return undefined;
    const emails = linked === undefined ? [] : await emailsOf(db, linked.id);
    known.unshift(...emails.toSorted((a, b) => rank(a) - rank(b)).map(({ value }) => value));
  }
  const [address] = await present(db, known.filter(isMailAddress));
  return address;
}

async function emailsOf(db: Kysely<Database>, personId: string) {
  const row = await db
    .selectFrom('directory_user')
    .select('attributes')
    .where('id', '=', personId)
    .executeTakeFirst();
  return Emails.safeParse(row?.attributes).data?.emails ?? [];
}

function rank({ primary }: { readonly primary?: boolean | undefined }): number {
  return primary === true ? 0 : 1;
}

/** Those of the addresses that, by the directory, are nobody's who has left. */
export async function present(db: Kysely<Database>, addresses: readonly string[]): Promise<string[]> {
  if (addresses.length === 0) return [];
  const lower = addresses.map((address) => address.toLowerCase());
  const { rows } = await sql<{ address: string }>`
    select asked.address from unnest(${lower}::text[]) as asked(address)
    where exists (
      select from oam.directory_user person
      where not person.active and (lower(person.user_name) = asked.address or exists (
        select from jsonb_array_elements(case jsonb_typeof(person.attributes -> 'emails')
          when 'array' then person.attributes -> 'emails' else '[]' end) as email
        where lower(email ->> 'value') = asked.address)))`.execute(db);
  const gone = new Set(rows.map(({ address }) => address));
  return addresses.filter((address) => !gone.has(address.toLowerCase()));
}
