import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import type { Logger } from '../../domain/logger.ts';
import { type Clock, MINUTE_MS } from '../../domain/time.ts';
import type { Callback, Secrets } from '../../identity/index.ts';

/** What {@link UriCallbacks} needs. */
export interface UriCallbackOptions {
  /** The address of the editor that the identity provider sends the browser back to. */
  readonly redirectUri: () => string;
  /** Shared by all windows of the person, also by those on other machines. */
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What became of an address: this window waited for it, another one does, or nobody. */
export type Handled = 'taken' | 'passedOn' | 'unknown';

/** A window waits this long for its answer; then nobody passes it on any more. */
const WAIT_MS = 10 * MINUTE_MS;

/** Longer answers are none of a sign-in. */
const MAX_CHARACTERS = 8_192;

/**
 * What windows tell each other. A code on its way is worth nothing to anybody else: its key stays in the window that
 * asked.
 */
const Note = z.union([
  z.strictObject({ waitsUntilMs: z.number() }),
  z.strictObject({ answer: z.string().check(z.maxLength(MAX_CHARACTERS)) }),
]);

/**
 * Takes the browser's answers where they come as an address of the editor. VS Code gives an address to the window that
 * was used last, which may be another than the one that asked: it passes the answer on through the secret storage.
 */
export class UriCallbacks {
  readonly #options: UriCallbackOptions;
  /** By the key of the note. */
  readonly #waiting = new Map<string, (answer: URL) => void>();

  constructor(options: UriCallbackOptions) {
    this.#options = options;
  }

  /** Begins to wait for the answer that carries this state. */
  async listen(expectedState: string): Promise<Callback> {
    const { clock, logger, redirectUri } = this.#options;
    const key = keyOf(expectedState);
    const { promise: answer, resolve } = Promise.withResolvers<URL>();
    this.#waiting.set(key, resolve);
    try {
      await this.#write(key, { waitsUntilMs: clock.nowMs() + WAIT_MS });
    } catch (error) {
      // The answer then has to come to this very window, as it mostly does.
      logger.warn('Other windows cannot be told that a sign-in waits here', { error: String(error) });
    }
    return {
      redirectUri: redirectUri(),
      answer,
      close: async () => {
        this.#waiting.delete(key);
        await this.#forget(key);
      },
    };
  }

  /** An address was opened with the editor. Anybody can do that: only the right state is believed. */
  async handle(uri: URL): Promise<Handled> {
    const key = this.#keyOf(uri);
    if (key === undefined) return 'unknown';
    if (this.#take(key, uri)) {
      await this.#forget(key);
      return 'taken';
    }
    const note = await this.#read(key);
    if (note === undefined || !('waitsUntilMs' in note) || note.waitsUntilMs < this.#options.clock.nowMs()) {
      return 'unknown';
    }
    await this.#write(key, { answer: uri.href });
    return 'passedOn';
  }

  /** A secret was changed, perhaps by another window that got an answer for this one. */
  async secretChanged(key: string): Promise<void> {
    if (!this.#waiting.has(key)) return;
    const note = await this.#read(key);
    if (note !== undefined && 'answer' in note && URL.canParse(note.answer)) {
      const answer = new URL(note.answer);
      if (this.#keyOf(answer) === key) this.#take(key, answer);
    }
  }

  #take(key: string, answer: URL): boolean {
    const resolve = this.#waiting.get(key);
    this.#waiting.delete(key);
    resolve?.(answer);
    return resolve !== undefined;
  }

  /** The key of the sign-in that an address answers; undefined where it is no answer. */
  #keyOf(uri: URL): string | undefined {
    const expected = new URL(this.#options.redirectUri());
    const states = uri.searchParams.getAll('state');
    const [state] = states;
    if (uri.href.length > MAX_CHARACTERS || state === undefined || states.length > 1) return undefined;
    return uri.protocol === expected.protocol &&
      uri.host === expected.host &&
      uri.pathname === expected.pathname
      ? keyOf(state)
      : undefined;
  }

  async #read(key: string): Promise<z.infer<typeof Note> | undefined> {
    const text = await this.#options.secrets.get(key);
    if (text === undefined) return undefined;
    try {
      return Note.parse(JSON.parse(text));
    } catch {
      this.#options.logger.warn('A note of another window about a sign-in cannot be read');
      return undefined;
    }
  }

  async #forget(key: string): Promise<void> {
    try {
      await this.#options.secrets.delete(key);
    } catch (error) {
      this.#options.logger.warn('A note about a sign-in stays until it is out of date', {
        error: String(error),
      });
    }
  }

  async #write(key: string, note: z.infer<typeof Note>): Promise<void> {
    await this.#options.secrets.store(key, JSON.stringify(note));
  }
}

/** The state itself is in no key: whoever lists the keys learns nothing. */
function keyOf(state: string): string {
  return `callback:${createHash('sha256').update(state).digest('base64url')}`;
}
