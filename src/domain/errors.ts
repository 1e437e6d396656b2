/**
 * The one error class of the product. Every failure that a person or a client may see has a stable code, a
 * sentence that ends with the next step, and, apart from it, the variable part.
 *
 * @example
 * ```ts
 * throw new OamError('window_too_long', 'This role lasts 8 hours at most. Ask for a shorter time.', {
 *   detail: 'asked for 600 minutes',
 * });
 * ```
 */
export class OamError extends Error {
  /** Stable, machine-readable: lower-case words joined by underscores. */
  readonly code: string;
  /** A sentence for the person, with the next step, without the variable part. */
  readonly sentence: string;
  /** What differs from one occurrence to the next. Never a secret. */
  readonly detail: string | undefined;

  constructor(code: string, sentence: string, options: { detail?: string; cause?: unknown } = {}) {
    const tail = options.detail === undefined ? '' : `: ${options.detail}`;
    super(`${sentence}${tail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OamError';
    this.code = code;
    this.sentence = sentence;
    this.detail = options.detail;
  }
}

/** True for an {@link OamError} with the given code. */
export function hasCode(error: unknown, code: string): error is OamError {
  return error instanceof OamError && error.code === code;
}

/**
 * Raised where a person or a signal called an action off. It is never shown: cancelling is silent.
 */
export class CancelledError extends OamError {
  constructor() {
    super('cancelled', 'Cancelled.');
    this.name = 'CancelledError';
  }
}
