import type { WorkspaceUser } from '../../databricks/index.ts';
import { sha256Hex } from '../../domain/canonical.ts';
import type { Principal } from '../../domain/principal.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { CallOutput } from '../../protocol/client.ts';
import type { PersonView } from '../../protocol/schemas.ts';
import type { TeamTokenView } from '../../protocol/team.ts';
import { recordReading } from '../audit/reading.ts';
import type { IdentityProfile } from '../authentication/identity-profiles.ts';
import type { Core } from '../core.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import { timestamp } from '../requests/view.ts';
import { groupsOf, ledTeams } from '../roles/teams.ts';
import { membersOf } from './members.ts';
import { asUuid, type TeamQuery } from './pages.ts';
import type { TokenInventory } from './token-inventory.ts';

/** What the list of tokens needs besides the store. */
export interface TeamTokenParts {
  readonly inventory: TokenInventory;
  /** The issuer of people: a Databricks user is one of its subjects, as when they are given access. */
  readonly issuer: string;
  /** By what Databricks knows the subject of a person. */
  readonly databricksAttribute: IdentityProfile['databricksAttribute'];
}

/** Stands for "without an end" in a cursor: later than any end. */
const NO_END_MS = 253_402_300_799_000;

/** So much of what an owner wrote is shown. */
const COMMENT_MAX_CHARACTERS = 200;

type Answer = CallOutput<'listTeamTokens'>;

interface FoundToken {
  readonly id: string;
  readonly endsAtMs: EpochMs;
  readonly view: TeamTokenView;
}

/**
 * The personal access tokens that members of the teams that somebody leads have at the workspaces of those teams' roles:
 * the soonest end first. Whose they are goes by the key by which people are given access, never by a name.
 *
 * @throws {OamError} `bad_request` for a foreign cursor, `groups_overflowed`, `audit_unavailable`.
 */
export async function listTeamTokens(
  core: Core,
  parts: TeamTokenParts,
  caller: Principal,
  { cursor, limit }: TeamQuery,
): Promise<Answer> {
  const after = fromCursor(cursor);
  groupsOf(caller);
  const { catalogue } = core.policy;
  const teams = ledTeams(caller, catalogue);
  if (teams.length === 0) return { items: [], nextCursor: null, unread: [] };
  await recordReading(core, caller, { teams }, 'team_tokens.read');
  const names = new Set(
    catalogue.roles.flatMap((role) => (teams.includes(role.team) ? [role.workspace] : [])),
  );
  const members = await membersOf(core.db, catalogue, teams);
  const owners = new Map<string, PersonView>(
    members
      .filter(({ iss }) => iss === parts.issuer)
      .map((person) => [keyOf(person.sub, parts.databricksAttribute), person]),
  );
  const unread: Answer['unread'] = [];
  const found: FoundToken[] = [];
  for (const workspace of catalogue.workspaces.filter(({ name }) => names.has(name))) {
    const answer = await parts.inventory.at(workspace.host);
    if (answer.kind === 'unread') {
      unread.push({ workspace: workspace.name, because: answer.because });
      continue;
    }
    const users = new Map(answer.users.map((user) => [user.id, user]));
    for (const token of answer.tokens) {
      const user = token.ownerId === undefined ? undefined : users.get(token.ownerId);
      const owner = user && ownerOf(user, owners, parts.databricksAttribute);
      if (owner === undefined) continue;
      const { iss, sub, userName, displayName } = owner;
      found.push({
        id: asUuid(sha256Hex(`${workspace.host}\n${token.id}`)),
        endsAtMs: token.expiresAtMs === undefined ? NO_END_MS : Math.min(token.expiresAtMs, NO_END_MS),
        view: {
          workspace: { name: workspace.name, host: workspace.host },
          tokenId: token.id,
          owner: { iss, sub, userName, displayName },
          comment: token.comment.slice(0, COMMENT_MAX_CHARACTERS),
          createdAt: timestamp(writable(token.createdAtMs)),
          lastUsedAt: timestamp(writable(token.lastUsedAtMs)),
          expiresAt: timestamp(writable(token.expiresAtMs)),
        },
      });
    }
  }
  found.sort(byEnd);
  const rest =
    after === undefined
      ? found
      : found.filter((token) => byEnd(token, { endsAtMs: after[0], id: after[1] }) > 0);
  const page = rest.slice(0, limit + 1);
  return {
    ...toPage(
      page,
      limit,
      ({ endsAtMs, id }) => [endsAtMs, id],
      page.map(({ view }) => view),
    ),
    unread,
  };
}

function ownerOf(
  user: WorkspaceUser,
  bySubject: ReadonlyMap<string, PersonView>,
  attribute: TeamTokenParts['databricksAttribute'],
): PersonView | undefined {
  const subject = attribute === 'externalId' ? user.externalId : user.userName;
  return subject === undefined ? undefined : bySubject.get(keyOf(subject, attribute));
}

/** Databricks does not tell capitals apart in the names of users. */
function keyOf(subject: string, attribute: TeamTokenParts['databricksAttribute']): string {
  return attribute === 'userName' ? subject.toLowerCase() : subject;
}

function byEnd(a: Pick<FoundToken, 'endsAtMs' | 'id'>, b: Pick<FoundToken, 'endsAtMs' | 'id'>): number {
  return a.endsAtMs - b.endsAtMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function writable(atMs: EpochMs | undefined): EpochMs | undefined {
  return atMs === undefined || atMs < 0 || atMs >= NO_END_MS ? undefined : atMs;
}
