import type { PointerEnvironment } from '../../broker/index.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Stoppable } from '../changes.ts';
import type { Folder } from '../injection/folder-injection.ts';
import type { FolderEnvironment } from '../injection/pointer-target.ts';
import { type KernelOutcome, kernelCode, kernelWish, readOutcome } from './kernel-code.ts';

/** A kernel as the Jupyter extension shows it to others: the same object from its start to its end, over restarts. */
export interface NotebookKernel {
  readonly language: string;
  readonly status: string;
  onDidChangeStatus(listener: (status: string) => void): Stoppable;
  /** Runs code beside the cells, and gives what it printed. Rejects where the person does not allow it. */
  run(code: string): Promise<string>;
}

/** A notebook that is open, in a folder of the window. */
export interface OpenNotebook {
  readonly uri: string;
  readonly folder: Folder;
}

/** What {@link KernelRepair} needs. */
export interface KernelRepairOptions {
  readonly notebooks: () => readonly OpenNotebook[];
  /** The kernel that runs for a notebook, where one does. */
  readonly kernelOf: (uri: string) => Promise<NotebookKernel | undefined>;
  /** What a folder's kernels are to have: the pointer and what goes with it. */
  readonly environment: (folder: Folder) => FolderEnvironment | undefined;
  /** What kernels are pointed to as they start. */
  readonly kernelPointer: () => PointerEnvironment | undefined;
  /** True where the notebooks of a folder are left to somebody else. */
  readonly isLeft: (folder: Folder) => boolean;
  /** Whether the person has said that kernels that run may be changed. Nobody is asked. */
  readonly isAgreed: (folder: Folder) => boolean;
  /** Whether kernels that run may be changed. Where the person has not said they are asked, and nothing is changed. */
  readonly mayChange: (folder: Folder) => boolean;
  /** Puts text where this user's programs alone can read it, until disposed. */
  readonly lay: (text: string) => Promise<{ readonly file: string; remove(): Promise<void> }>;
  readonly tell: (folder: Folder, outcome: KernelOutcome) => void;
  readonly logger: Logger;
}

interface Seen {
  /** The address that the kernel has, as far as is known. */
  url: string | undefined;
  /** The last address that was tried, whatever became of it: it is not tried again before a restart. */
  tried: string | undefined;
  /** True once the helper was brought, whatever became of it. */
  isHelped: boolean;
  isRunning: boolean;
  readonly watch: Stoppable;
}

const READY = 'idle';
const BEGINS_ANEW = new Set(['starting', 'restarting', 'autorestarting', 'dead', 'terminating']);

/**
 * Brings pointers to kernels that did not begin with theirs: they ran before OAM was in use, their address has ended, or
 * the folders of their window disagree. After a restart it does so again. Where the person agreed to that, all kernels
 * get the helper that shows how long access lasts.
 */
export class KernelRepair implements Stoppable {
  readonly #options: KernelRepairOptions;
  readonly #seen = new Map<NotebookKernel, Seen>();
  /** All addresses that were given out in this window: what a kernel holds of them is ours to replace. */
  readonly #ours = new Set<string>();
  /** What kernels began with until now. */
  #atStart: string | undefined;
  /** Extensions keep the environment that they saw first: once it has changed, a kernel may begin with the old one. */
  #hasChanged = false;
  #work: Promise<void> = Promise.resolve();
  #isDisposed = false;

  constructor(options: KernelRepairOptions) {
    this.#options = options;
  }

  /** Looks at all kernels, after pointers have changed, a notebook was opened or a cell has run. Never rejects. */
  look(): Promise<void> {
    this.#work = this.#work.then(async () => {
      try {
        await this.#look();
      } catch (error) {
        this.#options.logger.warn('Notebook kernels could not be looked at', { error: String(error) });
      }
    });
    return this.#work;
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const { watch } of this.#seen.values()) watch.dispose();
    this.#seen.clear();
  }

  async #look(): Promise<void> {
    const { kernelOf, kernelPointer, notebooks } = this.#options;
    const before = this.#atStart;
    const now = kernelPointer()?.DATABRICKS_METADATA_SERVICE_URL;
    if (before !== undefined && before !== now) this.#hasChanged = true;
    this.#atStart = now;
    const live = new Set<NotebookKernel>();
    for (const notebook of notebooks()) {
      const kernel = await kernelOf(notebook.uri);
      if (this.#isDisposed) return;
      if (kernel?.language !== 'python') continue;
      live.add(kernel);
      // One that was not known until now began before this change.
      const seen = this.#seen.get(kernel) ?? this.#meet(kernel, before);
      await this.#bring(notebook, kernel, seen);
    }
    for (const [kernel, { watch, isRunning }] of this.#seen) {
      if (live.has(kernel) || isRunning) continue;
      watch.dispose();
      this.#seen.delete(kernel);
    }
  }

  #meet(kernel: NotebookKernel, url: string | undefined): Seen {
    const watch = kernel.onDidChangeStatus((status) => {
      if (BEGINS_ANEW.has(status)) {
        seen.url = this.#hasChanged ? undefined : this.#atStart;
        seen.tried = undefined;
        seen.isHelped = false;
      } else if (status === READY && !seen.isRunning) {
        void this.look();
      }
    });
    const seen: Seen = {
      url: this.#hasChanged ? undefined : url,
      tried: undefined,
      isHelped: false,
      isRunning: false,
      watch,
    };
    this.#seen.set(kernel, seen);
    return seen;
  }

  async #bring({ folder }: OpenNotebook, kernel: NotebookKernel, seen: Seen): Promise<void> {
    const { environment, isAgreed, isLeft, mayChange, tell } = this.#options;
    const wanted = environment(folder);
    if (wanted === undefined) return;
    const url = wanted.DATABRICKS_METADATA_SERVICE_URL;
    this.#ours.add(url);
    if (seen.isRunning || isLeft(folder)) return;
    const needsPointer = seen.url !== url && seen.tried !== url;
    // A kernel that has its pointer is no reason to ask anything.
    const needsHelper = !seen.isHelped && isAgreed(folder);
    if (!needsPointer && !needsHelper) return;
    // Behind a cell that runs it would wait, under a notification; when the cell is done the kernel says so.
    if (kernel.status !== READY) return;
    if (needsPointer && !mayChange(folder)) return;
    seen.tried = url;
    seen.isHelped = true;
    seen.isRunning = true;
    try {
      const outcome = await this.#run(kernel, wanted);
      // A restart in the meantime has forgotten what was tried.
      if (outcome === 'set' || outcome === 'same') seen.url = seen.tried;
      if (outcome !== undefined) tell(folder, outcome);
    } catch (error) {
      this.#options.logger.warn('A notebook kernel could not be pointed', { error: String(error) });
    } finally {
      seen.isRunning = false;
    }
  }

  async #run(kernel: NotebookKernel, environment: FolderEnvironment): Promise<KernelOutcome | undefined> {
    const laid = await this.#options.lay(kernelWish(environment, [...this.#ours]));
    try {
      return readOutcome(await kernel.run(kernelCode(laid.file)));
    } finally {
      await laid.remove();
    }
  }
}
