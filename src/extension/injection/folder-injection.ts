import type { Broker, BrokerPath, PathEnd, Refusal, TokenSource } from '../../broker/index.ts';
import type { Logger } from '../../domain/logger.ts';
import { type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import type { WorkspaceRef } from '../access-view/access-nodes.ts';
import { Changes, type Stoppable } from '../changes.ts';
import type { AlreadySet } from './already-set.ts';
import type { FolderMemory, Place } from './folder-memory.ts';
import { pointerTo, type PointerTarget } from './pointer-target.ts';

/** A folder of the window. */
export interface Folder {
  readonly uri: string;
  readonly name: string;
}

/** Who is signed in, as far as places are concerned. */
export type Person =
  | { readonly kind: 'restoring' }
  | { readonly kind: 'nobody' }
  /** The session ran out: places stay for the same person to come back to, and refuse until then. */
  | { readonly kind: 'expired' }
  | SignedIn;

interface SignedIn {
  readonly kind: 'signedIn';
  readonly principal: PrincipalKey;
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
  readonly memory: FolderMemory;
  /** The terminals of a folder. */
  readonly terminals: (folder: Folder) => PointerTarget;
  /** The notebook kernels of the window. */
  readonly kernels: PointerTarget;
  readonly broker: (wantedPort: number | undefined) => Promise<Broker>;
  readonly source: (host: string, principal: PrincipalKey) => TokenSource;
  readonly onRefusal: (refusal: Refusal) => void;
  readonly logger: Logger;
}

interface OpenPlace {
  readonly place: Place;
  /** Undefined between the start of the editor and the broker's. */
  readonly path: BrokerPath | undefined;
}

/**
 * Puts pointers where a folder's programs find them, and takes them away. A pointer that was given stays good over
 * reloads of the window and new tokens; it ends when the person signs out or stops using OAM in the folder.
 */
export class FolderInjection implements Stoppable {
  readonly #options: FolderInjectionOptions;
  readonly #open = new Map<string, OpenPlace>();
  readonly #changes = new Changes<void>();
  readonly #moved = new Changes<Folder>();
  #person: Person = { kind: 'restoring' };
  #work: Promise<void> = Promise.resolve();
  #isDisposed = false;

  constructor(options: FolderInjectionOptions) {
    this.#options = options;
  }

  readonly onDidChange = this.#changes.on;
  /** A folder's address could not be kept: programs that began with it have to be started anew. */
  readonly onDidMove = this.#moved.on;

  /**
   * Puts back the pointers of before a reload, without waiting for anything: a notebook kernel may start in the next
   * moment. The broker follows, and its first answer waits for the session.
   */
  start(): void {
    for (const folder of this.#options.folders()) {
      const place = this.#options.memory.place(folder.uri);
      if (place === undefined || this.#usedWorkspace(folder)?.host !== place.host) continue;
      this.#open.set(folder.uri, { place, path: undefined });
    }
    this.#point();
    void this.reconcile();
  }

  /** Who is signed in has become known, or has changed. */
  setPerson(person: Person): Promise<void> {
    this.#person = person;
    return this.reconcile();
  }

  /** Keeps an answer to the folder's question and acts on it. */
  async use(folder: Folder, workspace: WorkspaceRef): Promise<void> {
    const { name, host } = workspace;
    await this.#options.memory.setAnswer(folder.uri, { answer: 'use', workspace: name, host });
    await this.reconcile();
  }

  /** Takes OAM out of a folder and does not ask again. */
  async stop(folder: Folder): Promise<void> {
    await this.#options.memory.setAnswer(folder.uri, { answer: 'never' });
    await this.reconcile();
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

  /** True where all folders of the window work with one workspace, so that kernels can have a pointer as well. */
  get kernelsHavePointer(): boolean {
    return this.#kernelPlace() !== undefined;
  }

  /** Makes what is open agree with what is wanted. One after the other, in the order of the calls. */
  reconcile(): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#isDisposed) return;
      try {
        await this.#reconcileOnce();
      } catch (error) {
        this.#options.logger.error('Pointers could not be set', { error: String(error) });
      }
      this.#changes.fire();
    });
    return this.#work;
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const folder of this.#options.folders()) this.#options.terminals(folder).clear();
    this.#options.kernels.clear();
    this.#changes.dispose();
    this.#moved.dispose();
  }

  async #reconcileOnce(): Promise<void> {
    const { folders, memory } = this.#options;
    const present = new Map(folders().map((folder) => [folder.uri, folder]));
    for (const [uri, open] of [...this.#open]) {
      const folder = present.get(uri);
      const wanted = folder === undefined ? undefined : this.#usedWorkspace(folder);
      const end = this.#reasonToEnd(open, wanted);
      if (end === undefined) continue;
      open.path?.end(end);
      this.#open.delete(uri);
      await memory.setPlace(uri, undefined);
    }
    // Gone pointers are taken away before new ones are waited for.
    this.#point();
    // Kept places first: the broker takes their port.
    const keptFirst = [...present.values()].sort(
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

  async #openFor(folder: Folder): Promise<void> {
    const workspace = this.#usedWorkspace(folder);
    if (workspace === undefined) return;
    const before = this.#open.get(folder.uri);
    if (before?.path !== undefined) return;
    const kept = before?.place;
    const principal = kept ?? (this.#person.kind === 'signedIn' ? this.#person.principal : undefined);
    // Before it is known who is signed in, only a place that names its person can be opened.
    if (principal === undefined) return;
    const broker = await this.#options.broker(kept?.port);
    const keepsAddress = kept?.port === broker.port;
    const path = broker.open({
      ...(keepsAddress && { path: kept.path }),
      host: workspace.host,
      source: this.#options.source(workspace.host, { iss: principal.iss, sub: principal.sub }),
      onRefusal: this.#options.onRefusal,
    });
    const place: Place = {
      host: workspace.host,
      port: broker.port,
      path: path.path,
      iss: principal.iss,
      sub: principal.sub,
    };
    this.#open.set(folder.uri, { place, path });
    await this.#options.memory.setPlace(folder.uri, place);
    if (kept !== undefined && !keepsAddress) this.#moved.fire(folder);
  }

  /** The workspace that a folder is to have a pointer to now, signed in or not. */
  #usedWorkspace(folder: Folder): WorkspaceRef | undefined {
    const { memory, isTrusted, alreadySet, workspaces } = this.#options;
    const answer = memory.answer(folder.uri);
    if (answer?.answer !== 'use' || !isTrusted() || alreadySet(folder).length > 0) return undefined;
    return workspaces().find(({ host }) => host === answer.host);
  }

  #point(): void {
    const { folders, terminals, kernels } = this.#options;
    for (const folder of folders()) {
      const place = this.#open.get(folder.uri)?.place;
      if (place === undefined) terminals(folder).clear();
      else terminals(folder).set(pointerTo(place));
    }
    const place = this.#kernelPlace();
    if (place === undefined) kernels.clear();
    else kernels.set(pointerTo(place));
  }

  #kernelPlace(): Place | undefined {
    const places = this.#options.folders().map(({ uri }) => this.#open.get(uri)?.place);
    const first = places[0];
    return places.every((place) => place !== undefined && place.host === first?.host) ? first : undefined;
  }
}
