import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Refusal, TokenSource } from '../../broker/index.ts';
import { type Clock, MINUTE_MS } from '../../domain/time.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { placeMark } from '../place-mark.ts';
import { isOld } from '../process-files.ts';

/** Names the file for the helper in the kernel. */
export const ACCESS_FILE = 'OAM_ACCESS_FILE';

/** Names the folder of the helper, where a kernel does not begin with it. */
export const HELPER_FOLDER = 'OAM_NOTEBOOK';

/** The latest lines that a person was to read. */
const MAX_SAID = 4;

/** One access, over all of its extensions. */
interface Held {
  readonly id: string;
  readonly grant: string;
  readonly role: string;
  readonly roleId: string;
  readonly minutes: number;
  readonly endsAt: string | null;
}

/**
 * What a kernel's helper may know: what is held and until when, and why the last program got no token. It lies in a
 * file, because a program that waits for an answer of ours would wait in the middle of somebody's cell. There is no
 * secret in it.
 */
export class AccessBoard {
  readonly #folder: string;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #facts: { workspace: string; role: string | null };
  #person: string | null = null;
  #held: readonly Held[] | null = null;
  #refusal: { readonly code: string; readonly message: string; readonly at: string } | null = null;
  #said: readonly string[] = [];
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param folder The user's own; nothing but files of boards lies in it, each named by its process.
   * @param suffix Tells the boards of one process apart.
   */
  constructor(
    folder: string,
    clock: Clock,
    facts: { readonly workspace: string; readonly role: string | null },
    suffix = '',
  ) {
    this.#folder = folder;
    this.#name = `${String(process.pid)}-${placeMark()}${suffix}.json`;
    this.#clock = clock;
    this.#facts = facts;
  }

  get file(): string {
    return join(this.#folder, this.#name);
  }

  /** Makes the folder, and takes away what kernels left that were killed. */
  async open(): Promise<void> {
    // Before whatever is written from now on.
    this.#writing = this.#writing.then(() => this.#sweep()).catch(() => undefined);
    await this.#write();
  }

  /** Nobody, and grants that are not known, are told apart from somebody who holds nothing. */
  holds(person: string | undefined, grants: readonly GrantView[] | undefined): void {
    if (this.#person !== (person ?? null)) {
      // What somebody else was refused, or nobody, is of no use to this one.
      this.#refusal = null;
      this.#said = [];
    }
    this.#person = person ?? null;
    this.#held = grants === undefined ? null : heldOf(grants);
    void this.#write();
  }

  refused({ code, sentence, detail }: Refusal): void {
    const message = detail === undefined ? sentence : `${sentence} (${detail})`;
    this.#refusal = { code, message, at: new Date(this.#clock.nowMs()).toISOString() };
    void this.#write();
  }

  served(): void {
    if (this.#refusal === null && this.#said.length === 0) return;
    this.#refusal = null;
    this.#said = [];
    void this.#write();
  }

  says(line: string): void {
    this.#said = [...this.#said, line].slice(-MAX_SAID);
    void this.#write();
  }

  /** Says that all is as it was: what has not been written for a while is not believed. */
  beat(): void {
    void this.#write();
  }

  /** The source, which tells the board when a token was to be had. */
  telling(source: TokenSource): TokenSource {
    return {
      token: async (signal) => {
        const token = await source.token(signal);
        this.served();
        return token;
      },
    };
  }

  async close(): Promise<void> {
    await this.#writing;
    await rm(this.file, { force: true }).catch(() => undefined);
  }

  async #sweep(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const here = placeMark();
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      const [, pid, place] = BOARD_NAME.exec(name) ?? [];
      const isLeft = pid === undefined || (place === here ? !isRunning(Number(pid)) : await isOld(file));
      if (isLeft) await rm(file, { force: true });
    }
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const content = {
        writtenAt: new Date(this.#clock.nowMs()).toISOString(),
        ...this.#facts,
        person: this.#person,
        held: this.#held,
        refusal: this.#refusal,
        said: this.#said,
      };
      // Whole or not at all: the helper may read in this moment.
      const next = `${this.file}.next`;
      await writeFile(next, JSON.stringify(content), { mode: 0o600 });
      await rename(next, this.file);
    });
    // A full disk takes nothing from the kernel but the words.
    this.#writing = this.#writing.catch(() => undefined);
    return this.#writing;
  }
}

/** The chains of grants that are active, each with the end of its last part. */
function heldOf(grants: readonly GrantView[]): Held[] {
  const chains = new Map<string, GrantView[]>();
  for (const grant of grants) chains.set(grant.chainId, [...(chains.get(grant.chainId) ?? []), grant]);
  return [...chains.values()].flatMap((chain) => {
    const active = chain.find(({ state }) => state === 'active');
    if (active === undefined) return [];
    const ends = chain.flatMap(({ endsAt, state }) =>
      endsAt === null || state === 'failed' ? [] : [endsAt],
    );
    // One that follows and has no end yet begins where the active one ends.
    const ahead = chain.find(({ state, endsAt }) => state === 'scheduled' && endsAt === null);
    const end = ends.sort().at(-1) ?? null;
    const endsAt =
      end === null || ahead === undefined
        ? end
        : new Date(Date.parse(end) + ahead.minutes * MINUTE_MS).toISOString();
    const { chainId, id, role, minutes } = active;
    return [{ id: chainId, grant: id, role: role.title, roleId: role.id, minutes, endsAt }];
  });
}

/** A process number means something else in another container that shares the folder: of it the file alone can be seen. */
const BOARD_NAME = /^(\d+)-([0-9a-f]{16})/;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
