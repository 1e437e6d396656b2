/** What the tree is narrowed to: lines that hold every word of it, in any place and of any case. */
export class AccessFilter {
  readonly text: string;
  readonly #words: readonly string[];

  constructor(text: string) {
    this.text = text.trim();
    this.#words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
  }

  /** True where everything is shown. */
  get isEmpty(): boolean {
    return this.#words.length === 0;
  }

  /** True for a thing that is known by these texts. */
  matches(...texts: readonly (string | undefined)[]): boolean {
    if (this.isEmpty) return true;
    const whole = texts.join('\n').toLowerCase();
    return this.#words.every((word) => whole.includes(word));
  }
}

/** Shows everything. */
export const NO_FILTER = new AccessFilter('');
