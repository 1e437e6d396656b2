import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type Clock, DAY_MS } from '../../domain/time.ts';

/** Lets one of a person's windows on a machine say something that each of them knows. */
export class WindowClaims {
  readonly #folder: string;
  readonly #clock: Clock;
  #isSwept = false;

  /** @param folder One that all windows share; nothing else lies in it. */
  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /**
   * True for the first window that asks. Where the disk does not answer every window is the first: twice is better
   * than never.
   */
  async claim(what: string): Promise<boolean> {
    const name = createHash('sha256').update(what).digest('base64url');
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    } catch {
      return true;
    }
    void this.#sweep();
    try {
      await writeFile(join(this.#folder, name), '', { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      return !(error instanceof Error && 'code' in error && error.code === 'EEXIST');
    }
  }

  /** Forgets what nobody will ask for again. */
  async #sweep(): Promise<void> {
    if (this.#isSwept) return;
    this.#isSwept = true;
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const file = join(this.#folder, name);
      const made = await stat(file).catch(() => undefined);
      if (made !== undefined && this.#clock.nowMs() - made.mtimeMs > 2 * DAY_MS) {
        await rm(file, { force: true }).catch(() => undefined);
      }
    }
  }
}
