/** What every room logs through. Implementations redact at the sink; callers never pass a secret on purpose. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** The variable part of a log line. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
