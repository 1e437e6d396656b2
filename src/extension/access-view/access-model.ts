import { type HostTrust, trustAmong } from '../../databricks/index.ts';
import { CancelledError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { Clock } from '../../domain/time.ts';
import { principalOf } from '../../identity/index.ts';
import { createEventsClient } from '../../protocol/event-stream.ts';
import type { HttpStream, HttpTransport } from '../../protocol/transport.ts';
import { Changes, type Stoppable } from '../changes.ts';
import type { Connection, SignedInState } from '../connection/connection.ts';
import type { AccessData, Notice } from './access-data.ts';
import { AccessFeed, type AccessState } from './access-feed.ts';
import type { Asset, AssetKind, AssetList, Rights } from './entitlements.ts';
import type { ListSoFar } from './growing-list.ts';
import { type PersonEntitlementOptions, PersonEntitlements } from './person-entitlements.ts';

/** What {@link AccessModel} needs. */
export interface AccessModelOptions {
  readonly connection: Pick<Connection, 'state' | 'onDidChange' | 'subjectToken'>;
  /** The person's own sign-in at a workspace, where tokens come from there. */
  readonly ownSignIn: PersonEntitlementOptions['ownSignIn'];
  readonly trust: () => HostTrust;
  readonly transport: HttpTransport;
  /** Carries events as they happen; left out where they are to be asked for. */
  readonly stream?: HttpStream;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly later: (work: () => void, delayMs: number) => Stoppable;
  readonly isWatched: () => boolean;
}

/** What is known of one person: it goes when somebody else signs in, and nothing of it is shown as the next one's. */
interface Following {
  readonly client: SignedInState['client'];
  readonly feed: AccessFeed;
  readonly entitlements: PersonEntitlements;
}

/** The access of whoever is signed in; nothing while nobody is. */
export class AccessModel implements Stoppable {
  readonly #options: AccessModelOptions;
  readonly #changes = new Changes<void>();
  readonly #notices = new Changes<Notice>();
  readonly #growth = new Changes<AssetKind>();
  readonly #watch: Stoppable;
  #following: Following | undefined;

  constructor(options: AccessModelOptions) {
    this.#options = options;
    this.#watch = options.connection.onDidChange(() => this.#follow());
  }

  readonly onDidChange = this.#changes.on;
  readonly onNotice = this.#notices.on;
  /** Told of a kind of assets whose list is longer than it was. */
  readonly onGrowth = this.#growth.on;

  get state(): AccessState {
    return this.#following?.feed.state ?? { kind: 'unknown' };
  }

  get data(): AccessData | undefined {
    return this.#following?.feed.data;
  }

  /** Reads everything anew, what is known of Databricks too. */
  async reload(): Promise<void> {
    this.#following?.entitlements.forget();
    await this.#following?.feed.reload();
  }

  attentionChanged(): void {
    this.#following?.feed.attentionChanged();
  }

  /**
   * The assets of a kind as far as they are read, with the person's own sign-in; kept until the next reload.
   *
   * @param lines How many somebody would look at: they are read on until there are so many.
   * @throws {CancelledError} where nobody is signed in, or not the same person any more.
   */
  async assets(host: string, kind: AssetKind, lines: number): Promise<ListSoFar> {
    return this.#entitlements().assets(host, kind, lines);
  }

  /** All assets of a kind, however long that takes; throws as {@link AccessModel.assets} does. */
  async allAssets(host: string, kind: AssetKind): Promise<AssetList> {
    return this.#entitlements().allAssets(host, kind);
  }

  /** The person's rights on an asset; throws as {@link AccessModel.assets} does. */
  async rights(host: string, asset: Asset): Promise<Rights> {
    return this.#entitlements().rights(host, asset);
  }

  /** The rights of the person that were last read of an asset, without asking. */
  seenRights(host: string, asset: Asset): Rights | undefined {
    return this.#following?.entitlements.seenRights(host, asset);
  }

  /** Goes up whenever what Databricks says is to be read anew. */
  get entitlementsAge(): number {
    return this.#following?.entitlements.age ?? 0;
  }

  dispose(): void {
    this.#watch.dispose();
    this.#leave();
    this.#changes.dispose();
    this.#notices.dispose();
    this.#growth.dispose();
  }

  #follow(): void {
    const { state } = this.#options.connection;
    const person = state.kind === 'signedIn' ? state : undefined;
    if (this.#following?.client === person?.client) return;
    this.#leave();
    if (person !== undefined) {
      this.#following = this.#begin(person);
      void this.#following.feed.reload();
    }
    this.#changes.fire();
  }

  #begin({ caller, client, session, trust }: SignedInState): Following {
    const { clock, logger, later, isWatched, stream } = this.#options;
    const events = stream && createEventsClient({ ...caller, stream });
    const feed = new AccessFeed({ client, events, clock, logger, later, isWatched });
    const agreed = trust.workspaces.map(({ host }) => host);
    const entitlements = new PersonEntitlements({
      ...this.#options,
      trust: () => trustAmong(this.#options.trust(), () => agreed),
      principal: principalOf(session),
    });
    let liveBefore = '';
    feed.onDidChange(() => {
      const live = liveGrants(feed.data);
      // A grant that came or went changes what Databricks lets the person do.
      if (live !== liveBefore) entitlements.forget();
      liveBefore = live;
      this.#changes.fire();
    });
    feed.onNotice((notice) => this.#notices.fire(notice));
    entitlements.onGrowth((kind) => this.#growth.fire(kind));
    return { client, feed, entitlements };
  }

  #leave(): void {
    this.#following?.feed.dispose();
    this.#following?.entitlements.dispose();
    this.#following = undefined;
  }

  #entitlements(): PersonEntitlements {
    if (this.#following === undefined) throw new CancelledError();
    return this.#following.entitlements;
  }
}

function liveGrants(data: AccessData | undefined): string {
  return (data?.grants ?? [])
    .filter(({ state }) => state === 'active')
    .map(({ id }) => id)
    .sort()
    .join(' ');
}
