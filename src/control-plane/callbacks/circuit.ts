/** Spares a callback that does not answer, and everybody who would wait for it. */
export interface Circuit {
  /** False while it is spared. While that goes on, one question now and then tries whether it is back. */
  mayAsk(): boolean;
  /** It answered, whatever it said. */
  answered(): void;
  failed(): void;
  /** The question was called off: that says nothing of the callback. */
  calledOff(): void;
}

const FAILURES = 5;

const SPARED_MS = 30_000;

/**
 * Creates a circuit that is closed.
 *
 * @param clock milliseconds of a clock that never goes back.
 */
export function createCircuit(clock: () => number): Circuit {
  let failures = 0;
  let sparedUntilMs = 0;
  let trying = false;
  return {
    mayAsk() {
      if (failures < FAILURES) return true;
      if (trying || clock() < sparedUntilMs) return false;
      trying = true;
      return true;
    },
    answered() {
      failures = 0;
      trying = false;
    },
    failed() {
      failures += 1;
      trying = false;
      if (failures >= FAILURES) sparedUntilMs = clock() + SPARED_MS;
    },
    calledOff() {
      trying = false;
    },
  };
}
