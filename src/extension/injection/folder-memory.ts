import * as z from 'zod/mini';

/** What a person said to the folder's one question. */
const FolderAnswer = z.discriminatedUnion('answer', [
  z.object({ answer: z.literal('use'), workspace: z.string(), host: z.string() }),
  z.object({ answer: z.literal('never') }),
]);
/** See {@link FolderAnswer}. */
export type FolderAnswer = z.infer<typeof FolderAnswer>;

/**
 * Where a folder's pointers point, kept over a reload because programs keep the address that they began with. The
 * path answers as this one person only.
 */
const Place = z.object({
  host: z.string(),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  path: z.string().check(z.regex(/^[A-Za-z0-9_-]{22,128}$/)),
  iss: z.string(),
  sub: z.string(),
});
/** See {@link Place}. */
export type Place = z.infer<typeof Place>;

/**
 * The part of VS Code's memento that is needed. It is read without waiting, and what is updated is read at once: the
 * promise tells only whether it was stored for the next start.
 */
export interface Memory {
  get(key: string): unknown;
  update(key: string, value: unknown): PromiseLike<void>;
}

/** What is remembered of folders: the answers wherever a folder is opened on a machine, the places for this window. */
export class FolderMemory {
  readonly #answers: Memory;
  readonly #places: Memory;
  readonly #machine: string;

  /**
   * @param machine Names the machine that the folders are on. VS Code keeps one memory for all of a person's machines,
   * and to all of them a folder is `file:///…`.
   */
  constructor(answers: Memory, places: Memory, machine: string) {
    this.#answers = answers;
    this.#places = places;
    this.#machine = machine;
  }

  answer(folderUri: string): FolderAnswer | undefined {
    const parsed = FolderAnswer.safeParse(this.#answers.get(`folder:${this.#machine}:${folderUri}`));
    return parsed.success ? parsed.data : undefined;
  }

  async setAnswer(folderUri: string, answer: FolderAnswer | undefined): Promise<void> {
    await this.#answers.update(`folder:${this.#machine}:${folderUri}`, answer);
  }

  /** Whether the person asked not to hear again that a folder, or something in it, signs in by settings of its own. */
  isToldOfOwnSettings(what: string): boolean {
    return this.#answers.get(`told:${this.#machine}:${what}`) === true;
  }

  async setToldOfOwnSettings(what: string): Promise<void> {
    await this.#answers.update(`told:${this.#machine}:${what}`, true);
  }

  /** Whether kernels that run may be pointed; undefined where the person has not said. */
  mayChangeKernels(folderUri: string): boolean | undefined {
    const kept = this.#answers.get(`kernels:${this.#machine}:${folderUri}`);
    return typeof kept === 'boolean' ? kept : undefined;
  }

  async setMayChangeKernels(folderUri: string, may: boolean): Promise<void> {
    await this.#answers.update(`kernels:${this.#machine}:${folderUri}`, may);
  }

  place(folderUri: string): Place | undefined {
    const parsed = Place.safeParse(this.#places.get(`place:${folderUri}`));
    return parsed.success ? parsed.data : undefined;
  }

  async setPlace(folderUri: string, place: Place | undefined): Promise<void> {
    await this.#places.update(`place:${folderUri}`, place);
  }
}
