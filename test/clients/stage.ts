import { cp } from 'node:fs/promises';
import { join } from 'node:path';

import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import { startStage, type Stage, type StageOptions } from '../../demo/stage/stage.ts';
import { orSkip } from '../reporting/skip.ts';

/** A stage with Python and a copy of the sample project. */
export interface ClientStage {
  readonly stage: Stage;
  readonly python: PythonEnvironment;
  readonly project: string;
}

/** Sets the stage for a suite; where Python or PyPI cannot be had the suite is skipped aloud. */
export async function clientStage(context: Mocha.Context, options: StageOptions): Promise<ClientStage> {
  context.timeout(600_000);
  const python = await orSkip(context, () => installPython(console.log));
  const stage = await startStage(options);
  const project = join(stage.folder, 'project');
  await cp(join(ROOT, 'demo/project'), project, { recursive: true });
  return { stage, python, project };
}

/** The clients that check the control plane's interfaces; where they cannot be had the suite is skipped aloud. */
export function clientPython(context: Mocha.Context): Promise<PythonEnvironment> {
  context.timeout(600_000);
  const packages = {
    name: 'testers of the API and of SCIM',
    file: join(ROOT, 'test/clients/requirements.txt'),
  };
  return orSkip(context, () => installPython(console.log, { packages }));
}
