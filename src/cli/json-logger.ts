import type { LogFields, Logger } from '../domain/logger.ts';
import type { Redactor } from '../domain/redaction.ts';
import type { Clock } from '../domain/time.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

type Level = (typeof LEVELS)[number];

/** What {@link jsonLogger} needs. */
export interface JsonLoggerOptions {
  readonly clock: Clock;
  readonly redactor: Redactor;
  /** The least that is written; anything that is no level writes nothing. */
  readonly level: string;
  readonly write: (line: string) => void;
}

/** One JSON object a line, redacted as a whole, so that no field can carry a secret past the redactor. */
export function jsonLogger(options: JsonLoggerOptions): Logger {
  const least = LEVELS.findIndex((level) => level === options.level);
  const at =
    (level: Level) =>
    (message: string, fields: LogFields = {}): void => {
      if (least < 0 || LEVELS.indexOf(level) < least) return;
      const time = new Date(options.clock.nowMs()).toISOString();
      options.write(options.redactor.redact(JSON.stringify({ time, level, message, ...fields })));
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
