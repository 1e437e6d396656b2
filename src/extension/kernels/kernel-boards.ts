import { createHash } from 'node:crypto';

import type { Refusal, TokenSource } from '../../broker/index.ts';
import { ACCESS_FILE, AccessBoard, HELPER_FOLDER } from '../../cli/kernel/access-board.ts';
import { hasOwnPath } from '../../domain/role.ts';
import type { Clock } from '../../domain/time.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Stoppable } from '../changes.ts';

/** What {@link KernelBoards} needs. */
export interface KernelBoardOptions {
  /** Where the boards lie; nothing else is in this folder. */
  readonly folder: string;
  /** The folder of the helper, which Python imports. */
  readonly helper: string;
  readonly clock: Clock;
  /** True while a notebook is open: without one nobody reads a board. */
  readonly isWatched: () => boolean;
  /** Whoever is signed in, and what they hold where that is known. */
  readonly access: () =>
    { readonly person: string; readonly grants: readonly GrantView[] | undefined } | undefined;
}

/**
 * Tells the helpers in the window's notebook kernels what is held, until when, and why a program got no token: a board
 * for each workspace, as `oam kernel run` has one for its kernel.
 */
export class KernelBoards implements Stoppable {
  readonly #options: KernelBoardOptions;
  readonly #boards = new Map<string, AccessBoard>();

  constructor(options: KernelBoardOptions) {
    this.#options = options;
  }

  /** What the helper has to know, by the names of variables. The same over the life of the window. No secret. */
  environment(host: string): Readonly<Record<string, string>> {
    return { [ACCESS_FILE]: this.#board(host).file, [HELPER_FOLDER]: this.#options.helper };
  }

  /** Writes what is known now. What has not been written for a while the helpers do not believe. */
  look(): void {
    if (!this.#options.isWatched()) return;
    const access = this.#options.access();
    for (const [host, board] of this.#boards) {
      board.holds(
        access?.person,
        access?.grants?.filter(({ role }) => role.workspace.host === host && !hasOwnPath(role.credential)),
      );
    }
  }

  refused(host: string, refusal: Refusal): void {
    this.#boards.get(host)?.refused(refusal);
  }

  /** The source, which tells the board of its workspace when a token was to be had. */
  telling(host: string, source: TokenSource): TokenSource {
    return this.#board(host).telling(source);
  }

  dispose(): void {
    for (const board of this.#boards.values()) void board.close();
    this.#boards.clear();
  }

  #board(host: string): AccessBoard {
    const known = this.#boards.get(host);
    if (known !== undefined) return known;
    const { folder, clock } = this.#options;
    const suffix = `-${createHash('sha256').update(host).digest('hex').slice(0, 12)}`;
    const board = new AccessBoard(folder, clock, { workspace: host, role: null }, suffix);
    this.#boards.set(host, board);
    void board.open();
    return board;
  }
}
