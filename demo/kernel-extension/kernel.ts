import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import * as z from 'zod/mini';

const Message = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connection-file'), path: z.string() }),
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('stream'), name: z.enum(['stdout', 'stderr']), text: z.string() }),
  z.object({ type: z.literal('data'), data: z.record(z.string(), z.string()) }),
  z.object({ type: z.literal('error'), name: z.string(), message: z.string(), stack: z.array(z.string()) }),
  z.object({ type: z.literal('done'), ok: z.boolean(), count: z.nullish(z.number()) }),
]);

/** What the relay says. */
export type RelayMessage = z.infer<typeof Message>;

/** What one cell printed, as it comes. */
export type Output = Extract<RelayMessage, { type: 'stream' | 'data' | 'error' }>;

/**
 * A Python kernel: a direct child of this process with this process's environment as it is at the start, which is
 * how the Jupyter extension starts its kernels.
 */
export class Kernel {
  readonly #folder = mkdtempSync(join(tmpdir(), 'k-'));
  readonly #relay: ChildProcessWithoutNullStreams;
  #kernel: ChildProcess | undefined;
  #listener: ((message: RelayMessage) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  private constructor(relayScript: string) {
    this.#relay = spawn('python', [relayScript, this.#folder], { stdio: 'pipe', cwd: this.#folder });
    createInterface({ input: this.#relay.stdout }).on('line', (line) => {
      this.#listener?.(Message.parse(JSON.parse(line)));
    });
    let complaint = '';
    this.#relay.stderr.on('data', (text) => (complaint = `${complaint}${String(text)}`.slice(-2_000)));
    this.#relay.once('error', (error) => this.#fail?.(error));
    this.#relay.once('exit', () => this.#fail?.(new Error(`The kernel is gone. ${complaint}`)));
  }

  /** Starts a kernel whose working folder is `cwd`. */
  static async start(relayScript: string, cwd: string): Promise<Kernel> {
    const kernel = new Kernel(relayScript);
    try {
      await kernel.#until((message, done) => {
        if (message.type !== 'connection-file') return;
        kernel.#kernel = spawn('python', ['-m', 'ipykernel_launcher', '-f', message.path], {
          cwd,
          env: { ...process.env },
          stdio: 'ignore',
        });
        kernel.#kernel.once('exit', () => kernel.#fail?.(new Error('The kernel ended.')));
        done();
      });
      kernel.#send({ type: 'wait' });
      await kernel.#until((message, done) => {
        if (message.type === 'ready') done();
      });
      return kernel;
    } catch (error) {
      kernel.dispose();
      throw error;
    }
  }

  /** Runs one cell. */
  async execute(code: string, onOutput: (output: Output) => void): Promise<{ ok: boolean; count?: number }> {
    let result: { ok: boolean; count?: number } = { ok: false };
    this.#send({ type: 'execute', code });
    await this.#until((message, done) => {
      if (message.type === 'done') {
        result = { ok: message.ok, ...(typeof message.count === 'number' ? { count: message.count } : {}) };
        done();
      } else if (message.type === 'stream' || message.type === 'data' || message.type === 'error') {
        onOutput(message);
      }
    });
    return result;
  }

  interrupt(): void {
    this.#kernel?.kill('SIGINT');
  }

  dispose(): void {
    this.#listener = undefined;
    this.#fail = undefined;
    this.#kernel?.kill('SIGKILL');
    this.#relay.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #send(message: object): void {
    this.#relay.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #until(listen: (message: RelayMessage, done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#listener = (message) => {
        listen(message, resolve);
      };
    });
  }
}
