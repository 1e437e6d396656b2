import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import type { SessionLimits } from '../../../src/protocol/configuration.ts';
import { configurationOf } from '../identity/sign-in.ts';

/** What a window is started with. */
export interface WindowSettings {
  readonly controlPlane: string;
  /** The extension's folder on the machine that it runs on. */
  readonly storage: string;
  /** VS Code's secrets. */
  readonly secrets: string;
  readonly usesKeychain: boolean;
}

/** What a window is told to do. */
export type WindowWish =
  | { readonly do: 'start' | 'look' | 'signOut' | 'lookForKeychain' | 'dieAtNextWrite' }
  | { readonly do: 'signIn'; readonly person: keyof typeof PEOPLE }
  | { readonly do: 'useKeychain'; readonly on: boolean }
  | { readonly do: 'rotate'; readonly times: number };

/** What a window shows. */
export interface WindowView {
  readonly kind: string;
  readonly acting: string | undefined;
  readonly accounts: readonly string[];
  /** Each time that nobody was signed in any more, and what was said. */
  readonly seen: readonly string[];
  /** Who keeps the session. */
  readonly place: string;
  /** How often it said that there is no keychain. */
  readonly notices: number;
}

export type WindowAnswer = { readonly view: WindowView } | { readonly error: string };

/** A window in a process of its own. */
export class EditorWindow {
  readonly #process: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  constructor(settings: WindowSettings, env: Readonly<Record<string, string>> = {}) {
    this.#process = fork(new URL('editor-window.ts', import.meta.url).pathname, [JSON.stringify(settings)], {
      env: { PATH: process.env['PATH'], HOME: '/dev/null', ...env },
    });
  }

  /** @throws Error with the code and sentence where it fails, or where the window is gone. */
  do(wish: WindowWish): Promise<WindowView> {
    const done = this.#last.then(async () => {
      const gone = new AbortController();
      const answer = once(this.#process, 'message', { signal: gone.signal });
      this.#process.send(wish);
      const ended = once(this.#process, 'exit', { signal: gone.signal }).then(() => {
        throw new Error('the window is gone');
      });
      try {
        const [said] = (await Promise.race([answer, ended])) as [WindowAnswer];
        if ('error' in said) throw new Error(said.error);
        return said.view;
      } finally {
        gone.abort();
        for (const waiting of [answer, ended]) waiting.catch(() => undefined);
      }
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

/** The part of a control plane that is asked before sign-in. */
export async function startConfiguration(
  issuer: string,
  sessions?: SessionLimits,
): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        ...{ product: 'databricks-ml-oam', version: '1', workspaces: [] },
        identity: configurationOf({ issuer }),
        ...(sessions && { sessions }),
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
