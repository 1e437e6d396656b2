import * as vscode from 'vscode';

import { commandId } from '../product.ts';
import { mayRefuse, refusalsIn } from './denial.ts';

/** What {@link watchDenials} tells. */
export interface DenialListener {
  /** Databricks refused something to a program. */
  saw(refusal: string, program: string | undefined): void;
  /** The role that would have allowed it, for a text that somebody points at; undefined where there is none. */
  titleOf(refusal: string): string | undefined;
  /** Somebody clicked on a refusal. */
  clicked(refusal: string): void;
}

/** Watches what terminals and notebooks print, and what tools report as problems, for refusals of Databricks. */
export function watchDenials(listener: DenialListener): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.window.onDidStartTerminalShellExecution(({ execution }) => {
      void readExecution(execution, listener);
    }),
    vscode.window.registerTerminalLinkProvider(terminalLinks(listener)),
    vscode.workspace.onDidChangeNotebookDocument((event) => readNotebook(event, listener)),
    vscode.languages.registerCodeActionsProvider('*', codeActions(listener), {
      providedCodeActionKinds: [vscode.CodeActionKind.QuickFix],
    }),
  );
}

/** So much of what a program printed before a chunk is looked at with it, in characters: lines come in pieces. */
const TAIL = 4_000;

/** Output is read no further than this, in characters: who prints so much is not waiting for a role. */
const READ_AT_MOST = 2_000_000;

async function readExecution(
  execution: vscode.TerminalShellExecution,
  listener: Pick<DenialListener, 'saw'>,
): Promise<void> {
  const program = execution.commandLine.value;
  const told = new Set<string>();
  let tail = '';
  let read = 0;
  for await (const chunk of execution.read()) {
    read += chunk.length;
    if (read > READ_AT_MOST) return;
    const text = tail + chunk;
    tail = text.slice(-TAIL);
    if (!mayRefuse(text)) continue;
    // What stands after the last end of a line may go on with the next piece.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    for (const refusal of refusalsIn(whole)) {
      if (told.has(refusal)) continue;
      told.add(refusal);
      listener.saw(refusal, program);
    }
  }
  for (const refusal of refusalsIn(tail)) if (!told.has(refusal)) listener.saw(refusal, program);
}

/** A refusal on a terminal's line. */
interface RefusalLink extends vscode.TerminalLink {
  readonly refusal: string;
}

/** A click on a refusal asks for what would have allowed it, also where it was offered and waved off before. */
function terminalLinks(listener: DenialListener): vscode.TerminalLinkProvider<RefusalLink> {
  return {
    provideTerminalLinks({ line }) {
      return refusalsIn(line).flatMap((refusal) => {
        const title = listener.titleOf(refusal);
        if (title === undefined) return [];
        const startIndex = Math.max(0, line.indexOf(refusal));
        const tooltip = vscode.l10n.t('Request access: {0}', title);
        return [{ startIndex, length: refusal.length, tooltip, refusal }];
      });
    },
    handleTerminalLink: ({ refusal }) => listener.clicked(refusal),
  };
}

const TEXTS = /^text\/|^application\/(?:json|vnd\.code\.notebook\.(?:error|std(?:out|err))$)/;

function readNotebook(
  { notebook, cellChanges }: vscode.NotebookDocumentChangeEvent,
  listener: Pick<DenialListener, 'saw'>,
): void {
  const name = notebook.uri.path.split('/').at(-1);
  for (const { outputs } of cellChanges) {
    for (const { mime, data } of outputs?.flatMap(({ items }) => items) ?? []) {
      if (!TEXTS.test(mime) || data.byteLength > READ_AT_MOST) continue;
      // An error is JSON, in which the ends of lines are written out.
      const text = new TextDecoder().decode(data).replaceAll(String.raw`\n`, '\n');
      for (const refusal of new Set(refusalsIn(text))) listener.saw(refusal, name);
    }
  }
}

/** A quick fix on a problem that says that Databricks refused something. */
function codeActions(listener: Pick<DenialListener, 'titleOf'>): vscode.CodeActionProvider {
  return {
    provideCodeActions(_document, _range, { diagnostics }) {
      return diagnostics.flatMap((diagnostic) => {
        const refusal = refusalsIn(diagnostic.message)[0];
        const title = refusal === undefined ? undefined : listener.titleOf(refusal);
        if (refusal === undefined || title === undefined) return [];
        const action = new vscode.CodeAction(
          vscode.l10n.t('Request access: {0}', title),
          vscode.CodeActionKind.QuickFix,
        );
        action.diagnostics = [diagnostic];
        action.command = {
          command: commandId('requestAccess'),
          title: action.title,
          arguments: [{ refusal }],
        };
        return [action];
      });
    },
  };
}
