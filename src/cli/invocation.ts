import type { Logger } from '../domain/logger.ts';
import type { Redactor } from '../domain/redaction.ts';
import type { Clock } from '../domain/time.ts';
import type { HttpStream, HttpTransport } from '../protocol/transport.ts';
import type { SignalDesk } from './signals.ts';

/** Everything outside that a command may touch. `main` holds the real things, tests hold others. */
export interface Invocation {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line of the answer (standard output). */
  readonly answer: (line: string) => void;
  /** Writes a line for the person beside the answer (standard error). */
  readonly note: (line: string) => void;
  /** Writes such a line with the address of a sign-in page, whose state the browser needs: nothing in it is masked. */
  readonly notePage: (line: string) => void;
  /** Whether the person sits at a terminal, which then sends Ctrl-C to all programs in front by itself. */
  readonly atTerminal: boolean;
  /** Whether a program that is run goes on when the terminal goes away, because its output does not go there. */
  readonly outlivesTerminal: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly transport: HttpTransport;
  readonly stream: HttpStream;
  readonly signals: SignalDesk;
}

/** The flags that every command takes. */
export interface CommonFlags {
  readonly url?: string;
  readonly json?: true;
  /** False after `--no-keychain`. */
  readonly keychain: boolean;
  readonly acceptChange?: true;
}
