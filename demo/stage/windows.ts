import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { VscodeInstallation } from './codeServer.ts';
import { packKernelStandIn, packProduct } from './extensions.ts';
import { ROOT } from './folders.ts';
import type { PythonEnvironment } from './python.ts';
import type { Stage } from './stage.ts';
import { startVscodeServer } from './vscodeServer.ts';

/** A person's VS Code: a server with data, home and project folders of its own, as on a machine of theirs. */
export interface PersonalWindow {
  /** Opens the sample project. */
  readonly url: string;
  readonly project: string;
}

export interface WindowMaker {
  /** @param name Of the person; names the folder. */
  open(name: string, port?: number): Promise<PersonalWindow>;
}

/** Packs the extensions once and then makes windows on a stage. */
export async function windowMaker(o: {
  stage: Stage;
  installation: VscodeInstallation;
  python: PythonEnvironment;
  /** One for all windows: browsers keep cookies per host, so that a second token would lock out the first window. */
  connectionToken: string;
  settings?: Readonly<Record<string, unknown>>;
}): Promise<WindowMaker> {
  const { stage } = o;
  const extensions = await Promise.all([packProduct(stage.folder), packKernelStandIn(stage.folder)]);
  const programs = join(stage.folder, 'bin');
  await mkdir(programs);
  await writeFile(
    join(programs, 'oam'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/cli/main.ts')}' "$@"\n`,
  );
  await chmod(join(programs, 'oam'), 0o755);

  return {
    async open(name, port) {
      const folder = join(stage.folder, name);
      const project = join(folder, 'home', 'next-shelf');
      await cp(join(ROOT, 'demo/project'), project, { recursive: true });
      const server = await startVscodeServer({
        installation: o.installation,
        folder,
        ...(port === undefined ? {} : { port }),
        connectionToken: o.connectionToken,
        extensions,
        path: [o.python.bin, programs],
        settings: { ...stage.settings, ...o.settings },
        env: stage.commandLine,
      });
      stage.cleanup.add(() => server.close());
      return { url: server.urlFor(project), project };
    },
  };
}
