import type { ControlPlaneClient } from '../../protocol/client.ts';
import { leadsTeam } from '../access-view/access-data.ts';
import type { AccessFollowerOptions } from '../access-view/access-follower.ts';
import { Changes, type Stoppable } from '../changes.ts';
import { loadTeam, type TeamData } from './team-data.ts';

/** What is known of the teams that the person leads. */
export type TeamState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** `stale` holds why it could not be read again. */
  | { readonly kind: 'known'; readonly data: TeamData; readonly stale: unknown };

/**
 * What a lead sees of their teams: read when somebody looks, and again when something happened while they do. Nothing
 * of it is kept for the next person.
 */
export class TeamModel implements Stoppable {
  readonly #options: AccessFollowerOptions;
  readonly #changes = new Changes<void>();
  readonly #watch: Stoppable;
  readonly #watchers = new Set<string>();
  #state: TeamState = { kind: 'unknown' };
  #client: ControlPlaneClient | undefined;
  #loading: Promise<void> | undefined;
  #isOld = true;
  #isDisposed = false;

  constructor(options: AccessFollowerOptions) {
    this.#options = options;
    this.#watch = options.model.onDidChange(() => this.#happened());
  }

  readonly onDidChange = this.#changes.on;

  get state(): TeamState {
    return this.#state;
  }

  get data(): TeamData | undefined {
    return this.#state.kind === 'known' ? this.#state.data : undefined;
  }

  /** Somebody begins or ceases to look at something that shows the team. */
  watched(by: string, isWatched: boolean): void {
    if (isWatched) this.#watchers.add(by);
    else this.#watchers.delete(by);
    if (isWatched && this.#isOld) void this.read();
  }

  /** Reads everything, or waits for the reading that runs. Never throws: what went wrong is in the state. */
  async read(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#watch.dispose();
    this.#changes.dispose();
  }

  #happened(): void {
    this.#isOld = true;
    const client = this.#clientOfLead();
    if (client !== this.#client) {
      this.#client = client;
      this.#become({ kind: 'unknown' });
    }
    if (client !== undefined && this.#watchers.size > 0) void this.read();
  }

  #clientOfLead(): ControlPlaneClient | undefined {
    const { model, client } = this.#options;
    return model.data !== undefined && leadsTeam(model.data.me) ? client() : undefined;
  }

  async #load(): Promise<void> {
    // What happens while it is read is read after it.
    while (!this.#isDisposed) {
      const client = this.#clientOfLead();
      this.#client = client;
      if (client === undefined) return;
      this.#isOld = false;
      const next = await this.#read(client);
      if (client === this.#client) this.#become(next);
      if (!this.#isOld) return;
    }
  }

  async #read(client: ControlPlaneClient): Promise<TeamState> {
    try {
      return { kind: 'known', data: await loadTeam(client), stale: undefined };
    } catch (error) {
      this.#options.logger.warn('The teams could not be read', { error: String(error) });
      return this.#state.kind === 'known'
        ? { kind: 'known', data: this.#state.data, stale: error }
        : { kind: 'failed', error };
    }
  }

  #become(state: TeamState): void {
    if (this.#isDisposed) return;
    this.#state = state;
    this.#changes.fire();
  }
}
