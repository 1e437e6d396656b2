import { type Asset, type AssetList, byName } from './entitlements.ts';

/** A list of assets as far as it has been read. */
export type ListSoFar =
  | {
      readonly kind: 'listed';
      readonly assets: readonly Asset[];
      readonly isWhole: boolean;
      /** Why it could not be read on; nothing more comes. */
      readonly failure?: unknown;
    }
  | { readonly kind: 'notVisible' };

/** A list is read so far without anybody who looks for more: nearly every one is whole by then. */
export const READ_AHEAD = 1_000;

/**
 * A long list that is shown from its first page on and read page by page, as far as somebody looks. What stands there
 * stays where it is: the first {@link READ_AHEAD} are by name, and what is read later comes behind them.
 */
export class GrowingList {
  /** Settles with the first page, or with the end or the failure of a list that has none. */
  readonly begun: Promise<void>;
  readonly #ended: Promise<AssetList>;
  /** In order, and behind each other. */
  #pieces: { readonly assets: readonly Asset[]; readonly isFull: boolean }[] = [];
  #count = 0;
  #wanted = READ_AHEAD;
  #readOn = (): void => undefined;
  #end: AssetList | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isByName = false;

  /**
   * @param read Reads the list, and waits with each page until the next one is wanted.
   * @param onGrow Told after each page but the first, and at the end.
   */
  constructor(
    read: (onPage: (page: readonly Asset[]) => Promise<void>) => Promise<AssetList>,
    onGrow: () => void,
  ) {
    const first = Promise.withResolvers<void>();
    let pages = 0;
    this.#ended = read((page) => {
      this.#add(page.toSorted(byName));
      pages += 1;
      if (pages === 1) first.resolve();
      else onGrow();
      return this.#untilWanted();
    });
    this.#ended.then(
      (list) => {
        this.#end = list;
        first.resolve();
        if (pages > 0) onGrow();
      },
      (error: unknown) => {
        this.#failure = { error };
        first.reject(error);
        if (pages > 0) onGrow();
      },
    );
    this.begun = first.promise;
  }

  /** Reads on, until there are so many or the end is reached. */
  want(lines: number): void {
    if (lines <= this.#wanted) return;
    this.#wanted = lines;
    this.#readOn();
  }

  /** Reads to the end, by name. Rejects where that cannot be. */
  async whole(): Promise<AssetList> {
    this.#isByName = true;
    this.want(Infinity);
    return this.#ended;
  }

  get soFar(): ListSoFar {
    const end = this.#end;
    if (end?.kind === 'notVisible') return end;
    const isWhole = end !== undefined;
    const assets =
      isWhole && (this.#isByName || this.#pieces.length < 2)
        ? end.assets
        : this.#pieces.flatMap((piece) => piece.assets);
    return { kind: 'listed', assets, isWhole, ...(this.#failure && { failure: this.#failure.error }) };
  }

  #add(page: readonly Asset[]): void {
    const last = this.#pieces.at(-1);
    const piece = last === undefined || last.isFull ? page : merged(last.assets, page);
    this.#count += page.length;
    // Full once it was shown to somebody as all that is wanted.
    const isFull = this.#count >= this.#wanted;
    if (last === undefined || last.isFull) this.#pieces.push({ assets: piece, isFull });
    else this.#pieces.splice(-1, 1, { assets: piece, isFull });
  }

  #untilWanted(): Promise<void> {
    if (this.#count < this.#wanted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#readOn = () => {
        if (this.#count < this.#wanted) resolve();
      };
    });
  }
}

/** Two lists in order as one: cheaper than to sort all of it again after each page. */
function merged(a: readonly Asset[], b: readonly Asset[]): Asset[] {
  const all: Asset[] = [];
  let next = 0;
  for (const asset of a) {
    for (let other = b[next]; other !== undefined && byName(other, asset) < 0; other = b[next]) {
      all.push(other);
      next += 1;
    }
    all.push(asset);
  }
  return [...all, ...b.slice(next)];
}
