import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import { type Command, COMMANDS, commandId, inFlightContext } from '../product.ts';
import { showError } from './show-error.ts';
import { SingleFlight } from './single-flight.ts';

/** What every command does. The argument is whatever called it passed: a line of a tree, or nothing. */
export type CommandTable = Readonly<Record<Command, (argument?: unknown) => Promise<void>>>;

/**
 * Registers every command of the table. A command runs once at a time, its buttons are grey meanwhile, and what it
 * throws is shown with the next step.
 */
export function registerCommands(table: CommandTable, logger: Logger): vscode.Disposable {
  const flight = new SingleFlight((command, isRunning) => {
    void vscode.commands.executeCommand('setContext', command, isRunning);
  });
  const run = async (command: Command, argument: unknown): Promise<void> => {
    try {
      await flight.run(inFlightContext(command), () => table[command](argument));
    } catch (error) {
      // Not waited for: a notification may stay for hours, and the command is over.
      void showError(error, logger, () => void run(command, argument));
    }
  };
  return vscode.Disposable.from(
    ...COMMANDS.map((command) =>
      vscode.commands.registerCommand(commandId(command), (argument: unknown) => run(command, argument)),
    ),
  );
}
