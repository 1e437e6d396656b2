import { type OwnSignIn, personTokenSource } from '../../broker/index.ts';
import { type BearerToken, createWorkspaceClient, type HostTrust } from '../../databricks/index.ts';
import { CancelledError } from '../../domain/errors.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { type Clock, MINUTE_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { Changes, type Stoppable } from '../changes.ts';
import type { Connection } from '../connection/connection.ts';
import {
  type Asset,
  type AssetKind,
  type AssetList,
  type EntitlementSource,
  listAssets,
  type Rights,
  rightsOn,
} from './entitlements.ts';
import { GrowingList, type ListSoFar } from './growing-list.ts';

/** What {@link PersonEntitlements} needs. */
export interface PersonEntitlementOptions {
  /** Whose entitlements these are. A token of anybody else is refused. */
  readonly principal: PrincipalKey;
  readonly connection: Pick<Connection, 'subjectToken'>;
  /** The person's own sign-in at a workspace, where tokens come from there. */
  readonly ownSignIn: (host: string) => OwnSignIn | undefined;
  readonly trust: () => HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly redactor: Redactor;
}

/** One person's entitlements on Databricks, read with their own sign-in and kept until they are forgotten. */
export class PersonEntitlements implements Stoppable {
  readonly #options: PersonEntitlementOptions;
  readonly #stopped = new AbortController();
  /** By host. */
  readonly #sources = new Map<string, EntitlementSource>();
  /** By host and kind. */
  readonly #lists = new Map<string, GrowingList>();
  /** By host, kind and id. */
  readonly #rights = new Map<string, Promise<Rights>>();
  /** The rights that were last read: they are shown until they are read anew. */
  readonly #seen = new Map<string, Rights>();
  readonly #growth = new Changes<AssetKind>();
  #age = 0;

  constructor(options: PersonEntitlementOptions) {
    this.#options = options;
  }

  /** Told of a kind whose list is longer than it was. */
  readonly onGrowth = this.#growth.on;

  /** Goes up whenever everything is to be read anew. */
  get age(): number {
    return this.#age;
  }

  /**
   * The assets of a kind, as far as they have been read: at least the first page of them.
   *
   * @param lines How many somebody would look at: they are read on until there are so many.
   * @throws {CancelledError} once the person has signed out: nobody else is shown what was theirs.
   */
  async assets(host: string, kind: AssetKind, lines: number): Promise<ListSoFar> {
    const list = this.#list(host, kind);
    list.want(lines);
    await this.#unlessStopped(list.begun);
    return list.soFar;
  }

  /** All assets of a kind; throws as {@link PersonEntitlements.assets} does. */
  allAssets(host: string, kind: AssetKind): Promise<AssetList> {
    return this.#unlessStopped(this.#list(host, kind).whole());
  }

  /** The rights on an asset; throws as {@link PersonEntitlements.assets} does. */
  async rights(host: string, asset: Asset): Promise<Rights> {
    const { signal } = this.#stopped;
    const key = assetKey(host, asset);
    const rights = await this.#kept(this.#rights, key, () => rightsOn(this.#source(host), asset, signal));
    this.#seen.set(key, rights);
    return rights;
  }

  /** The rights that were last read of an asset, without asking. */
  seenRights(host: string, asset: Asset): Rights | undefined {
    return this.#seen.get(assetKey(host, asset));
  }

  /** Everything is read anew when it is asked for next. */
  forget(): void {
    this.#age += 1;
    this.#lists.clear();
    this.#rights.clear();
    // What the workspace says of the person is remembered by the source.
    this.#sources.clear();
  }

  dispose(): void {
    this.#stopped.abort();
    this.#growth.dispose();
  }

  #list(host: string, kind: AssetKind): GrowingList {
    const key = `${host} ${kind}`;
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const { signal } = this.#stopped;
    const list = new GrowingList(
      (onPage) => listAssets(this.#source(host), kind, { signal, onPage }),
      () => {
        if (!signal.aborted) this.#growth.fire(kind);
      },
    );
    this.#lists.set(key, list);
    // What has not begun is asked for anew; what broke off stays, with the reason, until somebody wants to try again.
    list.begun.catch(() => {
      if (this.#lists.get(key) === list) this.#lists.delete(key);
    });
    return list;
  }

  async #kept<T>(kept: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
    let reading = kept.get(key);
    if (reading === undefined) {
      const started = read();
      kept.set(key, started);
      started.catch(() => {
        if (kept.get(key) === started) kept.delete(key);
      });
      reading = started;
    }
    return this.#unlessStopped(reading);
  }

  async #unlessStopped<T>(reading: Promise<T>): Promise<T> {
    try {
      const result = await reading;
      if (!this.#stopped.signal.aborted) return result;
    } catch (error) {
      if (!this.#stopped.signal.aborted) throw error;
    }
    throw new CancelledError();
  }

  #source(host: string): EntitlementSource {
    let source = this.#sources.get(host);
    if (source === undefined) {
      source = this.#makeSource(host);
      this.#sources.set(host, source);
    }
    return source;
  }

  #makeSource(host: string): EntitlementSource {
    const { connection, ownSignIn, trust, transport, clock, redactor, principal } = this.#options;
    const tokens = personTokenSource({
      host,
      session: { subjectToken: (signal) => connection.subjectToken(signal) },
      ownSignIn: () => ownSignIn(host),
      trust: trust(),
      transport,
      clock,
      redactor,
      principal,
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

function assetKey(host: string, { kind, id }: Asset): string {
  return `${host} ${kind} ${id}`;
}
