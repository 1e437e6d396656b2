import type { ListedToken, WorkspaceUser } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import type { UnreadReason } from '../../protocol/team.ts';
import type { Workspaces } from '../effects/workspaces.ts';

/** What a workspace says of the personal access tokens in it. */
export type WorkspaceTokens =
  | {
      readonly kind: 'read';
      readonly tokens: readonly ListedToken[];
      readonly users: readonly WorkspaceUser[];
    }
  | { readonly kind: 'unread'; readonly because: UnreadReason };

/** The personal access tokens of workspaces, as the reader's service principal sees them. */
export interface TokenInventory {
  /** Never throws: a workspace that cannot be read is said to be so. */
  at(host: string): Promise<WorkspaceTokens>;
}

/** What {@link createTokenInventory} needs. */
export interface TokenInventoryOptions {
  /** Databricks as the reader reaches it; undefined where there is no reader. */
  readonly workspaces: Workspaces | undefined;
  readonly redactor: Redactor;
  readonly logger: Logger;
  /** Runs evenly whatever happens to the machine's clock. */
  readonly elapsedMs: () => number;
}

/** What was read is good for so long: a lead who turns pages, or looks again, asks Databricks nothing. */
const KEPT_MS = MINUTE_MS;

/** A workspace that could not be read is asked again sooner. */
const TROUBLE_KEPT_MS = 5_000;

/** Creates the inventory. It asks one workspace one thing at a time, however many leads look. */
export function createTokenInventory(options: TokenInventoryOptions): TokenInventory {
  const { workspaces, elapsedMs } = options;
  const kept = new Map<string, { readonly untilMs: EpochMs; readonly tokens: Promise<WorkspaceTokens> }>();
  if (workspaces === undefined) {
    return { at: () => Promise.resolve({ kind: 'unread', because: 'not_configured' }) };
  }
  return {
    at(host) {
      const known = kept.get(host);
      if (known !== undefined && elapsedMs() < known.untilMs) return known.tokens;
      const tokens = read(workspaces, host, options).then((answer) => {
        kept.set(host, {
          untilMs: elapsedMs() + (answer.kind === 'read' ? KEPT_MS : TROUBLE_KEPT_MS),
          tokens: Promise.resolve(answer),
        });
        return answer;
      });
      kept.set(host, { untilMs: Number.POSITIVE_INFINITY, tokens });
      return tokens;
    },
  };
}

async function read(
  workspaces: Workspaces,
  host: string,
  { redactor, logger }: TokenInventoryOptions,
): Promise<WorkspaceTokens> {
  try {
    const client = workspaces.at(host);
    const tokens = await client.personalTokens();
    return { kind: 'read', tokens, users: tokens.length === 0 ? [] : await client.users() };
  } catch (error) {
    logger.warn('The personal access tokens of a workspace could not be read for the leads.', {
      host,
      reason: redactor.redact(error instanceof Error ? error.message : 'unknown'),
    });
    const isRefused =
      hasCode(error, 'databricks_permission_denied') || hasCode(error, 'databricks_token_refused');
    return { kind: 'unread', because: isRefused ? 'not_allowed' : 'unavailable' };
  }
}
