import { CODES, whenOrphaned } from '../../demo/stage/cleanup.ts';
import { stopProcesses } from '../../demo/stage/processes.ts';

/** A database shuts down in order, which takes a moment. */
const GRACE_MS = 15_000;

const stop = (code: number): void => {
  void stopProcesses(GRACE_MS).then(() => process.exit(code));
};

/** Tests that are called off leave nothing running. */
const listeners = Object.entries(CODES).map(([signal, code]) => ({
  signal,
  stop: (): void => {
    stop(code);
  },
}));

let orphanhood: Disposable | undefined;

// In worker processes mocha drops all listeners after each file, and runs these hooks for each.
export const mochaHooks = {
  beforeAll(): void {
    for (const { signal, stop: listener } of listeners) process.on(signal, listener);
    orphanhood ??= whenOrphaned(() => {
      stop(CODES.SIGTERM);
    });
  },
  afterAll(): void {
    for (const { signal, stop: listener } of listeners) process.off(signal, listener);
  },
};

/** In the process that has workers no hook runs; they notice in their turn that it is gone. */
export function mochaGlobalSetup(): void {
  orphanhood ??= whenOrphaned(() => {
    stop(CODES.SIGTERM);
  });
}

export function mochaGlobalTeardown(): void {
  orphanhood?.[Symbol.dispose]();
}
