import { samePrincipal } from '../../domain/principal.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import type { Me } from '../../protocol/person.ts';
import { isOpenRequest } from '../access-view/access-data.ts';
import type { AccessFollowerOptions } from '../access-view/access-follower.ts';
import { Changes, type Stoppable } from '../changes.ts';

/** So many are remembered. */
const KEPT = 10;

/**
 * What waited for the person and waits no more because somebody else settled it: kept for the window's life, and told
 * at once, so that nobody looks for what is done.
 */
export class HandledRequests implements Stoppable {
  readonly #options: AccessFollowerOptions;
  readonly #changes = new Changes<RequestView>();
  readonly #watch: Stoppable;
  #me: Me | undefined;
  #waiting = new Set<string>();
  #requests: readonly RequestView[] = [];

  constructor(options: AccessFollowerOptions) {
    this.#options = options;
    this.#watch = options.model.onDidChange(() => void this.#look());
  }

  /** Fires with a request that somebody else settled. */
  readonly onDidHandle = this.#changes.on;

  /** The newest first. */
  get requests(): readonly RequestView[] {
    return this.#requests;
  }

  dispose(): void {
    this.#watch.dispose();
    this.#changes.dispose();
  }

  async #look(): Promise<void> {
    const { data } = this.#options.model;
    const waiting = new Set(data?.toApprove.map(({ id }) => id));
    const isSame = data !== undefined && this.#me !== undefined && samePrincipal(this.#me, data.me);
    const gone = isSame ? [...this.#waiting].filter((id) => !waiting.has(id)) : [];
    // Nothing of one person is shown to the next.
    if (!isSame) this.#requests = [];
    this.#me = data?.me;
    this.#waiting = waiting;
    await Promise.all(gone.map((id) => this.#read(id)));
  }

  async #read(id: string): Promise<void> {
    const { client, logger } = this.#options;
    const me = this.#me;
    try {
      const request = await client().call('getRequest', { params: { id } });
      if (me === undefined || this.#me === undefined || !samePrincipal(me, this.#me)) return;
      if (isOpenRequest(request) || request.approvals.some(({ approver }) => samePrincipal(approver, me)))
        return;
      this.#requests = [request, ...this.#requests.filter((kept) => kept.id !== id)].slice(0, KEPT);
      this.#changes.fire(request);
    } catch (error) {
      logger.info('What became of a request could not be read', { error: String(error) });
    }
  }
}
