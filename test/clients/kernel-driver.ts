import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import type { PythonEnvironment } from '../../demo/stage/python.ts';
import { approveDevice, type Person } from '../../src/sandbox/identity-provider/index.ts';

const Message = z.union([
  z.object({ id: z.int(), text: z.string(), stream: z.enum(['stdout', 'stderr', 'error']) }),
  z.object({ id: z.int(), ok: z.boolean(), pid: z.nullish(z.int()) }),
]);

/** What a cell came to. */
export interface CellResult {
  readonly ok: boolean;
  /** All that stands below the cell, in its order. */
  readonly printed: string;
}

/** A cell that runs. */
export interface RunningCell {
  readonly done: Promise<CellResult>;
  printed(): string;
}

interface Waiting {
  printed: string;
  readonly resolve: (result: CellResult) => void;
}

/** What {@link KernelDriver.start} needs. */
export interface DriverOptions {
  readonly python: PythonEnvironment;
  readonly kernelName: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Who confirms each code that the kernel shows. */
  readonly person: Person | undefined;
}

/** A kernel of a `kernel.json`, run by Jupyter's own client, as JupyterLab does it. */
export class KernelDriver {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  /** What a person reads in the log of Jupyter. */
  log = '';
  #last = 0;

  private constructor({ python, kernelName, env, cwd, person }: DriverOptions) {
    this.#child = spawn(python.python, [join(ROOT, 'test/clients/kernel_driver.py'), kernelName], {
      env,
      cwd,
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#hear(line);
    });
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.log += `${line}\n`;
      const [, uri, userCode] = /open (\S+) in a browser and confirm the code (\S+)/.exec(line) ?? [];
      if (uri === undefined || userCode === undefined || person === undefined) return;
      const verification = new URL(uri);
      verification.search = '';
      approveDevice({ verificationUri: verification.href, userCode, person }).catch((error: unknown) => {
        this.log += `${String(error)}\n`;
      });
    });
    this.#child.once('close', () => {
      for (const { resolve, printed } of this.#waiting.values()) resolve({ ok: false, printed });
    });
  }

  /** Starts the kernel; rejects with the log where it does not become ready. */
  static async start(options: DriverOptions): Promise<KernelDriver> {
    const driver = new KernelDriver(options);
    const { ok } = await driver.#expect(0).done;
    if (!ok) throw new Error(`The kernel did not start. ${driver.log}`);
    return driver;
  }

  /** Runs a cell to its end. */
  run(code: string): Promise<CellResult> {
    return this.begin(code).done;
  }

  /** Begins a cell. */
  begin(code: string): RunningCell {
    return this.#send({ do: 'run', code });
  }

  /** As the button does. */
  interrupt(): Promise<CellResult> {
    return this.#send({ do: 'interrupt' }).done;
  }

  /** @param now kills it without a word before. */
  restart(now: boolean): Promise<CellResult> {
    return this.#send({ do: 'restart', now }).done;
  }

  /** @param now kills it without a word before. */
  shutdown(now: boolean): Promise<CellResult> {
    return this.#send({ do: 'shutdown', now }).done;
  }

  /** The system kills Jupyter, without a word to anybody. */
  async kill(): Promise<void> {
    // Its kernel has the same output, which is not closed before that has ended too.
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Ends Jupyter. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await this.shutdown(true);
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    await ended;
  }

  #send(request: object): RunningCell {
    const id = (this.#last += 1);
    const cell = this.#expect(id);
    this.#child.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    return cell;
  }

  #expect(id: number): RunningCell {
    const { promise, resolve } = Promise.withResolvers<CellResult>();
    const waiting: Waiting = { printed: '', resolve };
    this.#waiting.set(id, waiting);
    return { done: promise, printed: () => waiting.printed };
  }

  #hear(line: string): void {
    const message = Message.parse(JSON.parse(line));
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if ('text' in message) {
      waiting.printed += message.text;
      return;
    }
    this.#waiting.delete(message.id);
    waiting.resolve({ ok: message.ok, printed: waiting.printed });
  }
}
