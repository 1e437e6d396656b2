import type { AuditFilter, AuditRowView } from '../../protocol/audit.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { AccessFollowerOptions } from '../access-view/access-follower.ts';
import { Changes, type Stoppable } from '../changes.ts';

/** So many rows are read at a time. */
const PAGE_ROWS = 50;

/** What is shown of the trail. */
export type TrailState =
  | { readonly kind: 'unread' }
  /** The first page is on its way: rows of another question are not shown as the answer to this one. */
  | { readonly kind: 'reading' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'read'; readonly rows: readonly AuditRowView[]; readonly nextCursor: string | null };

/**
 * The rows of the audit trail that an auditor looks at. Each look is itself a row, so it is read when somebody opens the
 * view, searches or refreshes, and never by itself.
 */
export class AuditTrail implements Stoppable {
  readonly #options: AccessFollowerOptions;
  readonly #changes = new Changes<void>();
  readonly #watch: Stoppable;
  #state: TrailState = { kind: 'unread' };
  #filter: AuditFilter = {};
  #client: ControlPlaneClient | undefined;
  #reading: Promise<void> | undefined;
  #turn = 0;

  constructor(options: AccessFollowerOptions) {
    this.#options = options;
    this.#watch = options.model.onDidChange(() => this.#follow());
  }

  readonly onDidChange = this.#changes.on;

  get state(): TrailState {
    return this.#state;
  }

  get filter(): AuditFilter {
    return this.#filter;
  }

  /** Reads the trail where it has not been read. */
  async open(): Promise<void> {
    if (this.#state.kind === 'unread') await this.read();
  }

  /** Looks for rows that meet all of a filter. */
  async search(filter: AuditFilter): Promise<void> {
    this.#filter = filter;
    await this.read();
  }

  /** Reads the first page anew. Never throws: what went wrong is in the state. */
  async read(): Promise<void> {
    if (this.#client === undefined) return;
    this.#become({ kind: 'reading' });
    await this.#page(undefined, []);
  }

  /** Reads the next page. */
  async more(): Promise<void> {
    if (this.#state.kind !== 'read' || this.#state.nextCursor === null || this.#reading !== undefined) return;
    await this.#page(this.#state.nextCursor, this.#state.rows);
  }

  dispose(): void {
    this.#turn += 1;
    this.#watch.dispose();
    this.#changes.dispose();
  }

  /** Nothing of one person's reading is shown to the next. */
  #follow(): void {
    const { model, client } = this.#options;
    const reader = model.data?.me.readsAudit === true ? client() : undefined;
    if (reader === this.#client) return;
    this.#client = reader;
    this.#filter = {};
    this.#turn += 1;
    this.#become({ kind: 'unread' });
  }

  async #page(cursor: string | undefined, before: readonly AuditRowView[]): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    this.#turn += 1;
    const turn = this.#turn;
    this.#reading = this.#read(client, cursor, before).then((state) => {
      // A search that was begun later counts, whichever answer comes last.
      if (turn === this.#turn) this.#become(state);
    });
    await this.#reading;
    if (turn === this.#turn) this.#reading = undefined;
  }

  async #read(
    client: ControlPlaneClient,
    cursor: string | undefined,
    before: readonly AuditRowView[],
  ): Promise<TrailState> {
    try {
      const page = await client.call('listAudit', {
        query: { ...this.#filter, limit: PAGE_ROWS, ...(cursor !== undefined && { cursor }) },
      });
      return { kind: 'read', rows: [...before, ...page.items], nextCursor: page.nextCursor };
    } catch (error) {
      this.#options.logger.warn('The trail could not be read', { error: String(error) });
      return { kind: 'failed', error };
    }
  }

  #become(state: TrailState): void {
    this.#state = state;
    this.#changes.fire();
  }
}
