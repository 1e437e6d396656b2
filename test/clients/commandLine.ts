import { join } from 'node:path';

import { ROOT } from '../../demo/stage/folders.ts';
import { startProcess, type RunningProcess } from '../../demo/stage/processes.ts';
import type { PythonEnvironment } from '../../demo/stage/python.ts';
import type { Stage } from '../../demo/stage/stage.ts';
import { signInAtDatabricks } from '../../src/sandbox/databricks/index.ts';
import { approveDevice, type Person } from '../../src/sandbox/identity-provider/index.ts';

/** What a program came to. */
export interface Outcome {
  readonly code: number | null;
  /** Both of its streams, as a person sees them. */
  readonly output: string;
}

export interface CommandLineOptions {
  readonly stage: Stage;
  /** Whose programs come first in the path; none unless given. */
  readonly python?: PythonEnvironment;
  readonly person: Person;
  readonly cwd: string;
}

/** `oam` in a process of its own; the person signs in by the code that it prints, in a browser without a screen. */
export class CommandLine {
  readonly #options: CommandLineOptions;

  constructor(options: CommandLineOptions) {
    this.#options = options;
  }

  /** Starts `oam <words>`. Nothing of this machine's own Databricks set-up reaches it. */
  start(words: readonly string[], env: NodeJS.ProcessEnv = {}): RunningProcess {
    const { stage, python, cwd } = this.#options;
    const inherited = Object.entries(process.env).filter(([key]) => !/^(DATABRICKS_|OAM_|MLFLOW_)/.test(key));
    const [command = ''] = words;
    // `oam kernel install`: flags belong to the last of the commands.
    const commands = command === 'kernel' ? words.slice(0, 2) : [command];
    const flags = words.slice(commands.length);
    const running = startProcess({
      name: `oam ${command}`,
      command: process.execPath,
      // The keychain of whoever runs the tests is theirs.
      arguments: [join(ROOT, 'src/cli/main.ts'), ...commands, '--no-keychain', ...flags],
      cwd,
      env: {
        ...Object.fromEntries(inherited),
        ...stage.commandLine,
        HOME: stage.folder,
        PATH: [...(python === undefined ? [] : [python.bin]), process.env['PATH'] ?? ''].join(':'),
        ...env,
      },
    });
    stage.cleanup.add(() => running.stop());
    this.confirms(running);
    return running;
  }

  /** Runs `oam <words>` to its end. */
  async run(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const running = this.start(words, env);
    const { code } = await running.ended;
    await running.drained;
    return { code, output: running.tail() };
  }

  /** Has the person confirm the code that a program shows first. */
  confirms(running: RunningProcess): void {
    const { person } = this.#options;
    running
      .waitForLine(/open (\S+) in a browser and confirm the code (\S+)/, 120_000)
      .then(([, uri = '', code = '']) => {
        const verification = new URL(uri);
        verification.search = '';
        return approveDevice({ verificationUri: verification.href, userCode: code, person });
      })
      // Where nobody was asked to sign in the command has said why; where it went wrong it will.
      .catch(() => undefined);
    running
      .waitForLine(/sign in to Databricks, open (\S+) in a browser/, 120_000)
      .then(([, page = '']) => signInAtDatabricks(page, person))
      .catch(() => undefined);
  }
}
