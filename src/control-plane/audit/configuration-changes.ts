import { sql } from 'kysely';
import * as z from 'zod/mini';

import { canonicalJson, sha256Hex } from '../../domain/canonical.ts';
import type { ServerConfiguration } from '../configuration/configuration.ts';
import type { FileProblem } from '../configuration/problems.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { PolicyVersion } from '../policy/version.ts';

/** JSON, with what is undefined left out. */
const Plain = z.pipe(
  z.transform((value) => JSON.parse(JSON.stringify(value)) as unknown),
  z.json(),
);

type Parts = Pick<Core, 'db' | 'debt'>;

/**
 * Puts a start on the record: which program, with which configuration and policy, and whether the policy is another
 * than the last one.
 */
export async function recordStart(
  parts: Parts,
  config: ServerConfiguration,
  policy: PolicyVersion,
  version: string,
): Promise<void> {
  await inChange(parts.db, (change) =>
    parts.debt.record(change, {
      event: 'server.started',
      detail: { version, configuration: configurationHash(config), policyVersion: policy.hash },
    }),
  );
  await recordPolicyPublished(parts, policy);
}

/** Puts a policy on the record that decides from now on, where it is not the one that decided before. */
export async function recordPolicyPublished(parts: Parts, policy: PolicyVersion): Promise<void> {
  const { workspaces, teams, roles } = policy.catalogue;
  await inChange(parts.db, async (change) => {
    await oneAtATime(change);
    const last = await lastOf(change, ['policy.published']);
    if (last?.policyVersion === policy.hash) return;
    await parts.debt.record(change, {
      event: 'policy.published',
      detail: {
        policyVersion: policy.hash,
        previous: last?.policyVersion ?? null,
        ...{ workspaces: workspaces.length, teams: teams.length, roles: roles.length },
      },
    });
  });
}

/**
 * Puts a content of the policy folder on the record that was not taken, once, however many replicas look at it. Where
 * there was a policy before, it goes on to decide.
 */
export async function recordPolicyRefused(
  parts: Parts,
  problems: readonly FileProblem[],
  content: string | undefined,
): Promise<void> {
  await inChange(parts.db, async (change) => {
    await oneAtATime(change);
    const last = await lastOf(change, ['policy.published', 'policy.refused']);
    if (content !== undefined && last?.event === 'policy.refused' && last.content === content) return;
    await parts.debt.record(change, {
      event: 'policy.refused',
      detail: {
        content: content ?? null,
        problems: problems.map(({ file, line, message }) => ({ file, line: line ?? null, message })),
      },
    });
  });
}

/** Replicas that see the same folder change at the same moment tell of it one after the other. */
async function oneAtATime({ trx }: Change): Promise<void> {
  await trx.selectFrom('store').select('epoch').forUpdate().execute();
}

interface LastEvent {
  readonly event: string;
  readonly policyVersion: string | null;
  readonly content: string | null;
}

/** The last of some events. Each kind is looked up by itself: such a one is rare among all that were ever written. */
async function lastOf({ trx }: Change, events: readonly string[]): Promise<LastEvent | undefined> {
  const { rows } = await sql<LastEvent>`
    select last.event, last.detail->>'policyVersion' as "policyVersion", last.detail->>'content' as content
    from unnest(${events}::text[]) as kind (name)
      cross join lateral (
        select event, at, id, detail from oam.audit
        where event collate "C" = kind.name collate "C"
        order by at desc, id desc
        limit 1
      ) last
    order by last.at desc, last.id desc
    limit 1`.execute(trx);
  return rows[0];
}

/** A hash of the configuration. The password that an address of a database may carry is no part of it. */
export function configurationHash(config: ServerConfiguration): string {
  const { databaseUrl, ...rest } = config;
  const database = databaseUrl === undefined ? {} : databaseAddress(databaseUrl);
  return sha256Hex(canonicalJson(Plain.parse({ ...rest, database })));
}

/** The parts of an address that are no secret. One of a socket names its folder behind the question mark, and no host. */
function databaseAddress(databaseUrl: string): Record<string, string> {
  const url = URL.parse(databaseUrl) ?? URL.parse(databaseUrl.replace('@/', '@socket/'));
  if (url === null) return {};
  const { host, pathname, username, searchParams } = url;
  return { host: searchParams.get('host') ?? host, pathname, username };
}
