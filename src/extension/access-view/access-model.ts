import { personTokenSource } from '../../broker/index.ts';
import { type BearerToken, createWorkspaceClient, type HostTrust } from '../../databricks/index.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { type Clock, MINUTE_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { Changes, type Stoppable } from '../changes.ts';
import type { Connection, SignedInState } from '../connection/connection.ts';
import type { AccessData, Notice } from './access-data.ts';
import { AccessFeed, type AccessState } from './access-feed.ts';
import {
  type AssetKind,
  type AssetList,
  type Asset,
  listAssets,
  type Rights,
  rightsOn,
} from './entitlements.ts';
import type { EntitlementSource } from './entitlements.ts';

/** What {@link AccessModel} needs. */
export interface AccessModelOptions {
  readonly connection: Connection;
  readonly trust: () => HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly later: (work: () => void, delayMs: number) => Stoppable;
  readonly isWatched: () => boolean;
}

interface Following {
  readonly client: SignedInState['client'];
  readonly feed: AccessFeed;
  /** By host. */
  readonly sources: Map<string, EntitlementSource>;
  /** By host and kind, until something is read anew. */
  readonly lists: Map<string, Promise<AssetList>>;
  readonly rights: Map<string, Promise<Rights>>;
}

/** The access of whoever is signed in; nothing while nobody is. */
export class AccessModel implements Stoppable {
  readonly #options: AccessModelOptions;
  readonly #changes = new Changes<void>();
  readonly #notices = new Changes<Notice>();
  readonly #watch: Stoppable;
  #following: Following | undefined;

  constructor(options: AccessModelOptions) {
    this.#options = options;
    this.#watch = options.connection.onDidChange(() => this.#follow());
  }

  readonly onDidChange = this.#changes.on;
  readonly onNotice = this.#notices.on;

  get state(): AccessState {
    return this.#following?.feed.state ?? { kind: 'unknown' };
  }

  get data(): AccessData | undefined {
    return this.#following?.feed.data;
  }

  /** Reads everything anew, what is known of Databricks too. */
  async reload(): Promise<void> {
    this.#forgetEntitlements();
    await this.#following?.feed.reload();
  }

  attentionChanged(): void {
    this.#following?.feed.attentionChanged();
  }

  /** The assets of a kind, read with the person's own sign-in and kept until the next reload. */
  assets(host: string, kind: AssetKind): Promise<AssetList> {
    return this.#kept(
      (following) => following.lists,
      `${host} ${kind}`,
      host,
      (source) => listAssets(source, kind),
    );
  }

  /** The person's rights on an asset. */
  rights(host: string, asset: Asset): Promise<Rights> {
    return this.#kept(
      (following) => following.rights,
      `${host} ${asset.kind} ${asset.id}`,
      host,
      (source) => rightsOn(source, asset),
    );
  }

  dispose(): void {
    this.#watch.dispose();
    this.#following?.feed.dispose();
    this.#changes.dispose();
    this.#notices.dispose();
  }

  #follow(): void {
    const { state } = this.#options.connection;
    const client = state.kind === 'signedIn' ? state.client : undefined;
    if (this.#following?.client === client) return;
    this.#following?.feed.dispose();
    this.#following = undefined;
    if (client !== undefined) {
      const { clock, logger, later, isWatched } = this.#options;
      const feed = new AccessFeed({ client, clock, logger, later, isWatched });
      let liveBefore = '';
      feed.onDidChange(() => {
        const live = liveGrants(feed.data);
        // A grant that came or went changes what Databricks lets the person do.
        if (live !== liveBefore) this.#forgetEntitlements();
        liveBefore = live;
        this.#changes.fire();
      });
      feed.onNotice((notice) => this.#notices.fire(notice));
      this.#following = { client, feed, sources: new Map(), lists: new Map(), rights: new Map() };
      void feed.reload();
    }
    this.#changes.fire();
  }

  #forgetEntitlements(): void {
    this.#following?.lists.clear();
    this.#following?.rights.clear();
    // What the workspace says of the person is remembered by the source.
    this.#following?.sources.clear();
  }

  async #kept<T>(
    keptIn: (following: Following) => Map<string, Promise<T>>,
    key: string,
    host: string,
    read: (source: EntitlementSource) => Promise<T>,
  ): Promise<T> {
    const following = this.#following;
    if (following === undefined) return Promise.reject(new Error('Nobody is signed in.'));
    const kept = keptIn(following);
    const known = kept.get(key);
    if (known !== undefined) return known;
    let source = following.sources.get(host);
    if (source === undefined) {
      source = this.#source(host);
      following.sources.set(host, source);
    }
    const reading = read(source);
    kept.set(key, reading);
    reading.catch(() => {
      if (kept.get(key) === reading) kept.delete(key);
    });
    return reading;
  }

  #source(host: string): EntitlementSource {
    const { connection, trust, transport, clock, redactor } = this.#options;
    const tokens = personTokenSource({
      host,
      session: { subjectToken: (signal) => connection.subjectToken(signal) },
      trust: trust(),
      transport,
      clock,
      redactor,
    });
    let held: Promise<BearerToken> | undefined;
    const token = async (): Promise<string> => {
      const now = await held?.catch(() => undefined);
      if (now === undefined || now.expiresAtMs - clock.nowMs() < MINUTE_MS / 2) held = tokens.token();
      return (await (held ?? tokens.token())).accessToken;
    };
    const client = createWorkspaceClient({ host, token, transport, userAgent: 'databricks-ml-oam-vscode/1' });
    let me: ReturnType<typeof client.me> | undefined;
    return {
      ...client,
      me: (options) => {
        me ??= client.me(options);
        me.catch(() => (me = undefined));
        return me;
      },
    };
  }
}

function liveGrants(data: AccessData | undefined): string {
  return (data?.grants ?? [])
    .filter(({ state }) => state === 'active')
    .map(({ id }) => id)
    .sort()
    .join(' ');
}
