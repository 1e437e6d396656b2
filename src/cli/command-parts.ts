import type { Command } from 'commander';

import type { Connection } from './connection/connect.ts';
import type { CommonFlags, Invocation } from './invocation.ts';

/** What a group of commands is put into. */
export interface CommandParts {
  readonly program: Command;
  readonly invocation: Invocation;
  /** Adds the flags that every command takes which talks to the control plane. */
  readonly common: (command: Command) => Command;
  /** Signs in as the flags say; `as` is another invocation than the program's own. */
  readonly connect: (flags: CommonFlags, as?: Invocation) => Promise<Connection>;
  /** Says how the process ends. */
  readonly exit: (code: number) => void;
}
