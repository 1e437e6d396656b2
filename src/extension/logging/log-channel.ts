import type { LogFields, Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';

/** The part of VS Code's log channel that is written to. */
export interface LogSink {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** A logger that masks secrets where the line leaves the process, so that no caller has to think of it. */
export function createChannelLogger(sink: LogSink, redactor: Redactor): Logger {
  const line = (message: string, fields: LogFields | undefined): string => {
    const tail = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
    return redactor.redact(message + tail);
  };
  return {
    debug: (message, fields) => sink.debug(line(message, fields)),
    info: (message, fields) => sink.info(line(message, fields)),
    warn: (message, fields) => sink.warn(line(message, fields)),
    error: (message, fields) => sink.error(line(message, fields)),
  };
}
