import type {
  Broker,
  BrokerPath,
  PathEnd,
  PointerEnvironment,
  Refusal,
  TokenSource,
} from '../../broker/index.ts';
import type { Logger } from '../../domain/logger.ts';
import { type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import type { WorkspaceRef } from '../access-view/access-nodes.ts';
import { Changes, type Stoppable } from '../changes.ts';
import type { AlreadySet } from './already-set.ts';
import type { Person } from './person.ts';
import type { FolderAnswer, FolderMemory, Place } from './folder-memory.ts';
import { type FolderEnvironment, pointerTo, type PointerTarget } from './pointer-target.ts';

/** A folder of the window. */
export interface Folder {
  readonly uri: string;
  readonly name: string;
}

/** What a folder has of OAM. */
export type FolderState =
  | { readonly kind: 'unasked' }
  | { readonly kind: 'declined' }
  /** In use, but nobody is signed in, or the folder is not trusted, or the workspace is not offered any more. */
  | {
      readonly kind: 'waiting';
      readonly workspace: WorkspaceRef;
      readonly for: 'signIn' | 'trust' | 'workspace';
    }
  | { readonly kind: 'alreadySet'; readonly found: readonly AlreadySet[] }
  | { readonly kind: 'active'; readonly workspace: WorkspaceRef };

/** What {@link FolderInjection} needs of its surroundings. */
export interface FolderInjectionOptions {
  readonly folders: () => readonly Folder[];
  readonly isTrusted: () => boolean;
  /** The workspaces that were pinned on first use; read without waiting. */
  readonly workspaces: () => readonly WorkspaceRef[];
  readonly alreadySet: (folder: Folder) => readonly AlreadySet[];
  /** What goes with a pointer of a folder's programs; what it names is nowhere set by the person. */
  readonly beside: (folder: Folder) => Readonly<Record<string, string>>;
  /** What goes with the pointer of notebook kernels to a workspace. */
  readonly besideKernels: (host: string) => Readonly<Record<string, string>>;
  readonly memory: FolderMemory;
  /** The terminals of a folder. */
  readonly terminals: (folder: Folder) => PointerTarget;
  /** The notebook kernels of the window. */
  readonly kernels: PointerTarget;
  readonly broker: (wantedPort: number | undefined) => Promise<Broker>;
  readonly source: (host: string, principal: PrincipalKey) => TokenSource;
  readonly onRefusal: (refusal: Refusal, host: string) => void;
  readonly logger: Logger;
}

interface OpenPlace {
  readonly place: Place;
  /** Undefined between the start of the editor and the broker's. */
  readonly path: BrokerPath | undefined;
  /** True once a program has asked, and for a place of before a reload, of which that is not known. */
  isUsed: boolean;
}

/** A folder whose programs of before have to be started anew: their address has ended, and there is another one. */
export interface Moved {
  readonly folder: Folder;
  /** True where the address was the notebook kernels' too. */
  readonly kernels: boolean;
}

/** A path that is to be opened: where, as whom, and the place that it had before. */
interface Wish {
  readonly host: string;
  readonly principal: PrincipalKey;
  readonly kept: Place | undefined;
}

/**
 * Puts pointers where a folder's programs find them, and takes them away. A pointer that was given stays good over
 * reloads of the window and new tokens; it ends when the person signs out or stops using OAM in the folder.
 *
 * What is to end ends at once, in the very call that says so: neither storage nor the broker is waited for.
 */
export class FolderInjection implements Stoppable {
  readonly #options: FolderInjectionOptions;
  readonly #open = new Map<string, OpenPlace>();
  /** Ended, and not forgotten yet. */
  readonly #ended = new Set<string>();
  /** Ended while programs used them; whether kernels did, by folder. */
  readonly #burnt = new Map<string, { readonly kernels: boolean }>();
  readonly #changes = new Changes<void>();
  readonly #moved = new Changes<Moved>();
  /** The terminals that have a pointer now, by folder, also of folders that have just left the window. */
  #pointed: ReadonlyMap<string, PointerTarget> = new Map();
  #person: Person = { kind: 'restoring' };
  #work: Promise<void> = Promise.resolve();
  #isDisposed = false;

  constructor(options: FolderInjectionOptions) {
    this.#options = options;
  }

  readonly onDidChange = this.#changes.on;
  /** A folder has another address than programs began with, and those that asked at the old one get nothing more. */
  readonly onDidMove = this.#moved.on;

  /**
   * Puts back the pointers of before a reload, without waiting for anything: a notebook kernel may start in the next
   * moment. The broker follows, and its first answer waits for the session.
   */
  start(): void {
    for (const folder of this.#options.folders()) {
      const place = this.#options.memory.place(folder.uri);
      if (place === undefined || this.#usedWorkspace(folder)?.host !== place.host) continue;
      this.#open.set(folder.uri, { place, path: undefined, isUsed: true });
    }
    this.#point();
    void this.reconcile();
  }

  /** Who is signed in has become known, or has changed. Paths of anybody else have ended when this returns. */
  setPerson(person: Person): Promise<void> {
    this.#person = person;
    return this.reconcile();
  }

  /**
   * Keeps an answer to the folder's question and acts on it. Rejects with what storage says where it cannot be kept;
   * it counts in this window all the same.
   */
  async use(folder: Folder, { name, host }: WorkspaceRef): Promise<void> {
    await this.#answer(folder, { answer: 'use', workspace: name, host });
  }

  /** Takes OAM out of a folder and does not ask again. Rejects as {@link FolderInjection.use} does. */
  async stop(folder: Folder): Promise<void> {
    await this.#answer(folder, { answer: 'never' });
  }

  state(folder: Folder): FolderState {
    const { memory, isTrusted, alreadySet, workspaces } = this.#options;
    const answer = memory.answer(folder.uri);
    if (answer?.answer === 'never') return { kind: 'declined' };
    const found = alreadySet(folder);
    if (found.length > 0) return { kind: 'alreadySet', found };
    if (answer === undefined) return { kind: 'unasked' };
    const workspace = { name: answer.workspace, host: answer.host };
    if (!isTrusted()) return { kind: 'waiting', workspace, for: 'trust' };
    if (this.#person.kind === 'nobody') return { kind: 'waiting', workspace, for: 'signIn' };
    if (!workspaces().some(({ host }) => host === answer.host)) {
      return { kind: 'waiting', workspace, for: 'workspace' };
    }
    if (this.#open.has(folder.uri)) return { kind: 'active', workspace };
    return { kind: 'waiting', workspace, for: 'signIn' };
  }

  /** What a folder's programs are pointed to now. */
  pointer(folder: Folder): PointerEnvironment | undefined {
    const open = this.#open.get(folder.uri);
    return open && pointerTo(open.place);
  }

  /** What a folder's programs have besides what the person set. */
  environment(folder: Folder): FolderEnvironment | undefined {
    const pointer = this.pointer(folder);
    return pointer && { ...this.#options.beside(folder), ...pointer };
  }

  /** What the notebook kernels of a folder have besides what the person set. */
  kernelEnvironment(folder: Folder): FolderEnvironment | undefined {
    const environment = this.environment(folder);
    return environment && { ...this.#options.besideKernels(environment.DATABRICKS_HOST), ...environment };
  }

  /** What kernels of the window are pointed to as they start; nothing where its folders disagree. */
  kernelPointer(): PointerEnvironment | undefined {
    const place = this.#kernelPlace();
    return place && pointerTo(place);
  }

  /**
   * Makes what is open agree with what is wanted: ends at once what is to end, then opens what is to be opened, one
   * call after the other.
   */
  reconcile(): Promise<void> {
    if (!this.#isDisposed) this.#endUnwanted();
    this.#work = this.#work.then(async () => {
      if (this.#isDisposed) return;
      try {
        await this.#openWanted();
      } catch (error) {
        this.#options.logger.error('Pointers could not be set', { error: String(error) });
      }
      this.#changes.fire();
    });
    return this.#work;
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const target of this.#pointed.values()) target.clear();
    this.#options.kernels.clear();
    this.#changes.dispose();
    this.#moved.dispose();
  }

  async #answer(folder: Folder, answer: FolderAnswer): Promise<void> {
    const kept = this.#options.memory.setAnswer(folder.uri, answer);
    await Promise.all([kept, this.reconcile()]);
  }

  /** Ends the paths that are not to answer any more and takes their pointers away, without waiting for anything. */
  #endUnwanted(): void {
    const present = new Map(this.#options.folders().map((folder) => [folder.uri, folder]));
    const kernelPlace = this.#kernelPlace();
    for (const [uri, open] of [...this.#open]) {
      const folder = present.get(uri);
      const end = this.#reasonToEnd(open, folder && this.#usedWorkspace(folder));
      if (end === undefined) continue;
      open.path?.end(end);
      this.#open.delete(uri);
      this.#ended.add(uri);
      if (open.isUsed) this.#burnt.set(uri, { kernels: open.place === kernelPlace });
    }
    this.#point();
  }

  async #openWanted(): Promise<void> {
    const { folders, memory, logger } = this.#options;
    for (const uri of [...this.#ended]) {
      this.#ended.delete(uri);
      await memory.setPlace(uri, undefined).catch((error: unknown) => {
        logger.warn('A place could not be forgotten', { error: String(error) });
      });
    }
    // Kept places first: the broker takes their port.
    const keptFirst = [...folders()].sort(
      (a, b) => Number(this.#open.has(b.uri)) - Number(this.#open.has(a.uri)),
    );
    for (const folder of keptFirst) await this.#openFor(folder);
    this.#point();
  }

  #reasonToEnd({ place }: OpenPlace, wanted: WorkspaceRef | undefined): PathEnd | undefined {
    if (this.#person.kind === 'nobody') return 'signed_out';
    if (this.#person.kind === 'signedIn' && !samePrincipal(this.#person.principal, place)) {
      return 'principal_changed';
    }
    return wanted?.host === place.host ? undefined : 'closed';
  }

  #wish(folder: Folder): Wish | undefined {
    const open = this.#open.get(folder.uri);
    const workspace = this.#usedWorkspace(folder);
    if (workspace === undefined || open?.path !== undefined) return undefined;
    const kept = open?.place;
    const principal = kept ?? (this.#person.kind === 'signedIn' ? this.#person.principal : undefined);
    // Before it is known who is signed in, only a place that names its person can be opened.
    return principal === undefined ? undefined : { host: workspace.host, principal, kept };
  }

  async #openFor(folder: Folder): Promise<void> {
    const before = this.#wish(folder);
    if (before === undefined) return;
    const broker = await this.#options.broker(before.kept?.port);
    const wish = this.#wish(folder);
    // While the broker was started, somebody may have signed out or in: what they want is seen to in its own turn.
    if (this.#isDisposed || wish === undefined || wish.kept !== before.kept) return;
    const { host, kept, principal } = wish;
    const keepsAddress = kept?.port === broker.port;
    const source = this.#options.source(host, { iss: principal.iss, sub: principal.sub });
    const path = broker.open({
      ...(keepsAddress && { path: kept.path }),
      host,
      source: {
        token: (signal) => {
          open.isUsed = true;
          return source.token(signal);
        },
      },
      onRefusal: (refusal) => this.#options.onRefusal(refusal, host),
    });
    const { iss, sub } = principal;
    const place: Place = { host, port: broker.port, path: path.path, iss, sub };
    const open: OpenPlace = { place, path, isUsed: keepsAddress };
    this.#open.set(folder.uri, open);
    this.#point();
    this.#tellOfMove(folder, kept !== undefined && !keepsAddress);
    await this.#options.memory.setPlace(folder.uri, place).catch((error: unknown) => {
      this.#options.logger.warn('A place could not be kept for the next start', { error: String(error) });
    });
  }

  #tellOfMove(folder: Folder, hasMoved: boolean): void {
    const burnt = this.#burnt.get(folder.uri);
    this.#burnt.delete(folder.uri);
    const kernels = this.#kernelPlace() === this.#open.get(folder.uri)?.place;
    if (burnt !== undefined || hasMoved) this.#moved.fire({ folder, kernels: burnt?.kernels ?? kernels });
  }

  /** The workspace that a folder is to have a pointer to now, signed in or not. */
  #usedWorkspace(folder: Folder): WorkspaceRef | undefined {
    const { memory, isTrusted, alreadySet, workspaces } = this.#options;
    const answer = memory.answer(folder.uri);
    if (answer?.answer !== 'use' || !isTrusted() || alreadySet(folder).length > 0) return undefined;
    return workspaces().find(({ host }) => host === answer.host);
  }

  #point(): void {
    if (this.#isDisposed) return;
    const { folders, terminals, kernels, besideKernels } = this.#options;
    const pointed = new Map<string, PointerTarget>();
    for (const folder of folders()) {
      const environment = this.environment(folder);
      if (environment === undefined) continue;
      const target = this.#pointed.get(folder.uri) ?? terminals(folder);
      target.set(environment);
      pointed.set(folder.uri, target);
    }
    for (const [uri, target] of this.#pointed) if (!pointed.has(uri)) target.clear();
    this.#pointed = pointed;
    const place = this.#kernelPlace();
    if (place === undefined) kernels.clear();
    else kernels.set({ ...this.#besideAll(), ...besideKernels(place.host), ...pointerTo(place) });
  }

  /** What goes with the pointer in every folder of the window: the kernels are all of theirs. */
  #besideAll(): Readonly<Record<string, string>> {
    const { beside, folders } = this.#options;
    const [first = {}, ...others] = folders().map(beside);
    return Object.fromEntries(
      Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
    );
  }

  #kernelPlace(): Place | undefined {
    const places = this.#options.folders().map(({ uri }) => this.#open.get(uri)?.place);
    const first = places[0];
    return places.every((place) => place !== undefined && place.host === first?.host) ? first : undefined;
  }
}
