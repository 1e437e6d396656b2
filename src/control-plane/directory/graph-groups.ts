import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { GroupFacts, Principal } from '../../domain/principal.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';

/** OAM's own application in Entra ID, which may read whose groups are what (`GroupMember.Read.All`). */
export interface GraphAccess {
  /** Where its tokens come from: `https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`. */
  readonly tokenUrl: string;
  /** `https://graph.microsoft.com`, or that of a national cloud. */
  readonly url: string;
  readonly clientId: string;
}

/** What {@link createGraphGroups} needs. */
export interface GraphParts {
  readonly access: GraphAccess;
  readonly clientSecret: string;
  readonly transport: HttpTransport;
  readonly redactor: Redactor;
  readonly logger: Logger;
}

const TokenAnswer = z.object({ access_token: z.string().check(z.minLength(1)), expires_in: z.number() });

const MemberObjects = z.object({ value: z.array(z.string()) });

/** A token's facts hold for an hour at most, so what they lack need not be asked for every call. */
const KEPT_MS = 5 * MINUTE_MS;

/** People whose lists are kept; each is a few thousand ids at most. */
const KEPT_PEOPLE = 1_000;

const TIMEOUT_MS = 5 * SECOND_MS;

/** A person of Entra ID is named by an object id, and nothing else becomes part of an address. */
const ObjectId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Completes a list of groups that was too long for a token, from Microsoft Graph. The endpoint that the token itself
 * names is not asked: it is a retired one. A list that cannot be had stays overflowed, which closes every door.
 *
 * Source: https://learn.microsoft.com/graph/api/directoryobject-getmemberobjects
 */
export function createGraphGroups(parts: GraphParts): (principal: Principal) => Promise<Principal> {
  const asked = new Map<string, { readonly groups: Promise<GroupFacts>; readonly untilMs: number }>();
  const token = tokenSource(parts);

  const ask = async (oid: string): Promise<GroupFacts> => {
    try {
      return { kind: 'listed', names: await memberObjects(parts, await token(), oid) };
    } catch (error) {
      parts.logger.warn('A list of groups could not be completed from Microsoft Graph.', {
        error: error instanceof OamError ? error.code : String(error),
      });
      asked.delete(oid);
      return { kind: 'overflowed' };
    }
  };

  return async (principal) => {
    if (principal.groups.kind === 'listed' || !ObjectId.test(principal.sub)) return principal;
    const oid = principal.sub.toLowerCase();
    const nowMs = performance.now();
    let entry = asked.get(oid);
    if (entry === undefined || entry.untilMs <= nowMs) {
      entry = { groups: ask(oid), untilMs: nowMs + KEPT_MS };
      asked.delete(oid);
      asked.set(oid, entry);
      const [oldest] = asked.keys();
      if (asked.size > KEPT_PEOPLE && oldest !== undefined) asked.delete(oldest);
    }
    return { ...principal, groups: await entry.groups };
  };
}

async function memberObjects(parts: GraphParts, token: string, oid: string): Promise<string[]> {
  const answer = await parts.transport({
    method: 'POST',
    url: `${parts.access.url}/v1.0/users/${oid}/getMemberObjects`,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ securityEnabledOnly: true }),
    timeoutMs: TIMEOUT_MS,
  });
  if (answer.status !== 200) throw new Error(`Microsoft Graph answered ${answer.status}`);
  return MemberObjects.parse(JSON.parse(answer.text)).value;
}

/** OAM's own token for Graph (OAuth 2.0 client credentials), one at a time, until shortly before it ends. */
function tokenSource(parts: GraphParts): () => Promise<string> {
  let held: { readonly token: Promise<string>; readonly untilMs: () => number } | undefined;
  return () => {
    if (held !== undefined && held.untilMs() > performance.now()) return held.token;
    let untilMs = Infinity;
    const token = requestToken(parts).then(
      ({ access_token, expires_in }) => {
        untilMs = performance.now() + expires_in * SECOND_MS - MINUTE_MS;
        parts.redactor.register(access_token);
        return access_token;
      },
      (error: unknown) => {
        untilMs = 0;
        throw error;
      },
    );
    held = { token, untilMs: () => untilMs };
    return token;
  };
}

async function requestToken({
  access,
  clientSecret,
  transport,
}: GraphParts): Promise<z.infer<typeof TokenAnswer>> {
  const answer = await transport({
    method: 'POST',
    url: access.tokenUrl,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: access.clientId,
      client_secret: clientSecret,
      scope: `${access.url}/.default`,
    }).toString(),
    timeoutMs: TIMEOUT_MS,
  });
  if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status}`);
  return TokenAnswer.parse(JSON.parse(answer.text));
}
