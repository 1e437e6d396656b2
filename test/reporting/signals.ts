import { stopProcesses } from '../../demo/stage/processes.ts';

/** A database shuts down in order, which takes a moment. */
const GRACE_MS = 15_000;

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Tests that are called off leave nothing running. */
const listeners = Object.entries(SIGNALS).map(([signal, code]) => ({
  signal,
  stop: (): void => {
    void stopProcesses(GRACE_MS).then(() => process.exit(code));
  },
}));

// In worker processes mocha drops all listeners after each file, and runs these hooks for each.
export const mochaHooks = {
  beforeAll(): void {
    for (const { signal, stop } of listeners) process.on(signal, stop);
  },
  afterAll(): void {
    for (const { signal, stop } of listeners) process.off(signal, stop);
  },
};
