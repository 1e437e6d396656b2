import { type Asset, type AssetList, byName } from './entitlements.ts';

/** A list of assets as far as it has been read. */
export type ListSoFar =
  | { readonly kind: 'listed'; readonly assets: readonly Asset[]; readonly isWhole: boolean }
  | { readonly kind: 'notVisible' };

/** A long list that can be shown from its first page on, while the others still come. */
export class GrowingList {
  /** Settles with the first page, or with the end or the failure of a list that has none. */
  readonly begun: Promise<void>;
  /** Settles with the whole list. */
  readonly whole: Promise<AssetList>;
  #assets: readonly Asset[] = [];
  #end: AssetList | undefined;

  /**
   * @param read Reads the list, and tells of its pages.
   * @param onGrow Told after each page but the first, and at the end.
   */
  constructor(read: (onPage: (page: readonly Asset[]) => void) => Promise<AssetList>, onGrow: () => void) {
    const first = Promise.withResolvers<void>();
    let pages = 0;
    this.whole = read((page) => {
      this.#assets = merged(this.#assets, page.toSorted(byName));
      pages += 1;
      if (pages === 1) first.resolve();
      else onGrow();
    });
    this.whole.then(
      (list) => {
        this.#end = list;
        first.resolve();
        if (pages > 0) onGrow();
      },
      (error: unknown) => first.reject(error),
    );
    this.begun = first.promise;
  }

  get soFar(): ListSoFar {
    if (this.#end === undefined) return { kind: 'listed', assets: this.#assets, isWhole: false };
    return this.#end.kind === 'notVisible' ? this.#end : { ...this.#end, isWhole: true };
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
