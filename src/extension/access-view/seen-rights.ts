import type { Stoppable } from '../changes.ts';
import type { AccessNode } from './access-nodes.ts';

/** A line of an asset. */
export type AssetNode = Extract<AccessNode, { kind: 'asset' }>;

/** So many assets are asked about at a time. */
const AT_A_TIME = 4;

/** News of lines is gathered for so long, in milliseconds: drawing each by itself would make the tree flicker. */
const GATHER_MS = 150;

/** What {@link SeenRights} needs. */
export interface SeenRightsOptions {
  /** Reads the rights on the asset of a line. Must not reject. */
  readonly read: (node: AssetNode) => Promise<void>;
  readonly onRead: (nodes: AssetNode[]) => void;
  readonly later: (work: () => void, delayMs: number) => Stoppable;
}

/**
 * Reads the rights on assets whose lines are seen, those seen last first: Databricks is asked about the twenty lines in
 * front of somebody, not about the ten thousand of the list.
 */
export class SeenRights implements Stoppable {
  readonly #options: SeenRightsOptions;
  #waiting: AssetNode[] = [];
  #fresh: AssetNode[] = [];
  #reading = 0;
  #gathering: Stoppable | undefined;

  constructor(options: SeenRightsOptions) {
    this.#options = options;
  }

  /** A line is seen whose rights are not known. */
  seen(node: AssetNode): void {
    this.#waiting.push(node);
    if (this.#reading < AT_A_TIME) void this.#work();
  }

  /** Forgets those that wait: the tree is drawn anew. */
  clear(): void {
    this.#waiting = [];
  }

  dispose(): void {
    this.clear();
    this.#gathering?.dispose();
  }

  async #work(): Promise<void> {
    this.#reading += 1;
    try {
      for (let node = this.#waiting.pop(); node !== undefined; node = this.#waiting.pop()) {
        await this.#options.read(node);
        this.#fresh.push(node);
        this.#gathering ??= this.#options.later(() => this.#tell(), GATHER_MS);
      }
    } finally {
      this.#reading -= 1;
    }
  }

  #tell(): void {
    this.#gathering = undefined;
    this.#options.onRead(this.#fresh.splice(0));
  }
}
