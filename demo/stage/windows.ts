import { randomBytes } from 'node:crypto';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { packKernelStandIn, packProduct } from './extensions.ts';
import { ROOT } from './folders.ts';
import type { Stage } from './stage.ts';
import type { Tools } from './tools.ts';
import { startVscodeServer } from './vscodeServer.ts';

/** A person's VS Code: a server with data, home and project folders of its own, as on a machine of theirs. */
export interface PersonalWindow {
  /** Opens the sample project with its notebook. */
  readonly url: string;
  readonly project: string;
  /** Ends the person's VS Code with what runs in it; otherwise it goes on without a browser until the stage is taken down. */
  close(): Promise<void>;
}

export interface WindowMaker {
  /** @param name Of the person; names the folder. */
  open(
    name: string,
    o?: {
      port?: number;
      settings?: Readonly<Record<string, unknown>>;
      /** What is set where the person starts VS Code. */
      env?: Readonly<Record<string, string>>;
    },
  ): Promise<PersonalWindow>;
}

/** Packs the extensions once and then makes windows on a stage. */
export async function windowMaker(stage: Stage, tools: Tools): Promise<WindowMaker> {
  // One for all windows: browsers keep cookies per host, so that a second token would lock out the first window.
  const connectionToken = randomBytes(16).toString('hex');
  const { cleanup } = stage;
  const programs = join(stage.folder, 'bin');
  // Sockets lie in it, whose paths end at 107 characters.
  const temporary = join(stage.folder, 't');
  const extensions = await cleanup.start(async (signal) => {
    await Promise.all([mkdir(programs), mkdir(temporary)]);
    await writeFile(
      join(programs, 'oam'),
      `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/cli/main.ts')}' "$@"\n`,
      { mode: 0o755 },
    );
    return Promise.all([packProduct(stage.folder, signal), packKernelStandIn(stage.folder, { signal })]);
  });

  return {
    async open(name, { port, settings, env } = {}) {
      const folder = join(stage.folder, name);
      const project = join(folder, 'home', 'next-shelf');
      const server = await cleanup.start(
        async (signal) => {
          await cp(join(ROOT, 'demo/project'), project, { recursive: true });
          return startVscodeServer({
            signal,
            installation: tools.installation,
            folder,
            ...(port === undefined ? {} : { port }),
            connectionToken,
            extensions,
            path: [tools.python.bin, programs],
            settings: { ...stage.settings, 'pythonKernelStandIn.showNotebook': true, ...settings },
            env: { ...stage.commandLine, TMPDIR: temporary, ...env },
          });
        },
        (running) => running.close(),
      );
      return { url: server.urlFor(project), project, close: () => server.close() };
    },
  };
}
