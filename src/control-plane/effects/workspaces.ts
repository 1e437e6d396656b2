import {
  createWorkspaceClient,
  requestClientCredentials,
  type WorkspaceClient,
} from '../../databricks/index.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';

/** Databricks as OAM's own core service principal reaches it. */
export interface Workspaces {
  /** The client of the workspace at this origin. */
  at(host: string): WorkspaceClient;
}

/** What {@link createWorkspaces} needs. */
export interface WorkspacesOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly transport: HttpTransport;
  readonly redactor: Redactor;
}

/** A token is replaced this long before it ends. */
const RENEW_AHEAD_MS = MINUTE_MS;

/** Runs evenly whatever happens to the machine's clock; good only for how long something has left. */
const stopwatch = { nowMs: () => performance.now() };

/** Clients that share one token for each workspace. Retrying is the caller's: it keeps its own schedule. */
export function createWorkspaces(options: WorkspacesOptions): Workspaces {
  const clients = new Map<string, WorkspaceClient>();
  return {
    at(host) {
      const known = clients.get(host);
      if (known) return known;
      const tokens = createTokenSource(host, options);
      const client = createWorkspaceClient({
        host,
        token: () => tokens.take(),
        dropToken: (token) => {
          tokens.drop(token);
        },
        transport: options.transport,
        retry: 'never',
      });
      clients.set(host, client);
      return client;
    },
  };
}

/** Databricks as one of OAM's optional service principals reaches it; undefined where there is none. */
export function workspacesOf({
  tier,
  clientSecret,
  ...rest
}: Pick<WorkspacesOptions, 'transport' | 'redactor'> & {
  readonly tier: { readonly clientId: string } | undefined;
  readonly clientSecret: string | undefined;
}): Workspaces | undefined {
  if (tier === undefined || clientSecret === undefined) return undefined;
  return createWorkspaces({ ...rest, clientId: tier.clientId, clientSecret });
}

interface TokenSource {
  /** A token that is good as far as is known. */
  take(): Promise<string>;
  /** Databricks does not accept this one: the next is fetched. */
  drop(token: string): void;
}

function createTokenSource(
  host: string,
  { clientId, clientSecret, transport, redactor }: WorkspacesOptions,
): TokenSource {
  let current: { accessToken: string; renewAtMs: number; masked: Disposable } | undefined;
  let fetching: Promise<string> | undefined;

  const fetchToken = async (): Promise<string> => {
    const token = await requestClientCredentials({
      host,
      clientId,
      clientSecret,
      transport,
      clock: stopwatch,
    });
    const lifeMs = token.expiresAtMs - stopwatch.nowMs();
    current?.masked[Symbol.dispose]();
    current = {
      accessToken: token.accessToken,
      renewAtMs: token.expiresAtMs - Math.min(RENEW_AHEAD_MS, lifeMs / 2),
      masked: redactor.register(token.accessToken),
    };
    return token.accessToken;
  };

  return {
    async take() {
      if (current !== undefined && stopwatch.nowMs() < current.renewAtMs) return current.accessToken;
      fetching ??= fetchToken().finally(() => {
        fetching = undefined;
      });
      return fetching;
    },
    drop(token) {
      // Another call may have dropped it before and fetched the next one already. It stays masked until then.
      if (current?.accessToken === token) current.renewAtMs = 0;
    },
  };
}
