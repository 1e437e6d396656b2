/** Mocha hears of a rejection that nobody handled and says nothing. Thrown, it fails the test during which it came. */
function fail(reason: unknown): never {
  throw reason;
}

// In worker processes mocha drops all listeners after each file, and runs these hooks for each.
export const mochaHooks = {
  beforeAll(): void {
    process.on('unhandledRejection', fail);
  },
  afterAll(): void {
    process.off('unhandledRejection', fail);
  },
};
