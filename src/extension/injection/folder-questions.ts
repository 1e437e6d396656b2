import * as vscode from 'vscode';

import type { HostTrust } from '../../databricks/index.ts';
import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { WorkspaceRef } from '../access-view/access-nodes.ts';
import type { Stoppable } from '../changes.ts';
import { showError } from '../commands/show-error.ts';
import { folderLine } from '../status-bar/status-words.ts';
import { editorFolders } from './editor-folders.ts';
import type { Folder, FolderInjection } from './folder-injection.ts';
import { askFolderQuestion } from './folder-question.ts';
import type { FolderMemory } from './folder-memory.ts';

/** What {@link FolderQuestions} needs. */
export interface FolderQuestionOptions {
  readonly injection: FolderInjection;
  readonly memory: FolderMemory;
  readonly isSignedIn: () => boolean;
  readonly workspaces: () => readonly WorkspaceRef[];
  readonly trust: () => HostTrust;
  readonly logger: Logger;
}

/** Asks each folder's one question, one folder at a time, once somebody is signed in. */
export class FolderQuestions implements Stoppable {
  readonly #options: FolderQuestionOptions;
  /** Put aside, or told that the folder sets its own: neither is brought up again in this window. */
  readonly #done = new Set<string>();
  #isAsking = false;
  #isDisposed = false;

  constructor(options: FolderQuestionOptions) {
    this.#options = options;
  }

  /** Asks what is to be asked now. */
  async askAll(): Promise<void> {
    if (this.#isAsking || this.#isDisposed) return;
    this.#isAsking = true;
    try {
      for (let folder = this.#next(); folder !== undefined; folder = this.#next()) {
        this.#done.add(this.#subject(folder));
        await this.#ask(folder);
      }
    } catch (error) {
      void showError(error, this.#options.logger);
    } finally {
      this.#isAsking = false;
    }
  }

  dispose(): void {
    this.#isDisposed = true;
  }

  #next(): Folder | undefined {
    const { injection, isSignedIn, workspaces } = this.#options;
    if (this.#isDisposed || !isSignedIn() || !vscode.workspace.isTrusted || workspaces().length === 0) {
      return undefined;
    }
    return editorFolders().find((folder) => {
      const { kind } = injection.state(folder);
      return (kind === 'unasked' || kind === 'alreadySet') && !this.#done.has(this.#subject(folder));
    });
  }

  /** What there is to bring up of a folder: a question that was put aside hides no word about its own settings. */
  #subject(folder: Folder): string {
    return `${this.#options.injection.state(folder).kind} ${folder.uri}`;
  }

  async #ask(folder: Folder): Promise<void> {
    const { injection, workspaces, trust } = this.#options;
    const state = injection.state(folder);
    if (state.kind === 'alreadySet') {
      await this.#sayAlreadySet(folder, folderLine(vscode.l10n, state));
      return;
    }
    const answer = await askFolderQuestion(folder, workspaces(), editorFolders().length === 1);
    if (answer === undefined || !this.#options.isSignedIn()) return;
    if (answer === 'never') {
      await injection.stop(folder);
    } else if (trust().isTrusted(answer.host)) {
      await injection.use(folder, answer);
    } else {
      throw untrustedHost(answer.host);
    }
  }

  async #sayAlreadySet(folder: Folder, line: string): Promise<void> {
    const { memory } = this.#options;
    if (memory.isToldOfOwnSettings(folder.uri)) return;
    const dontSay = vscode.l10n.t("Don't Show Again");
    if ((await vscode.window.showInformationMessage(line, dontSay)) === dontSay) {
      await memory.setToldOfOwnSettings(folder.uri);
    }
  }
}

/** A control plane named a host that is none of Databricks' and that the person did not name either. */
export function untrustedHost(host: string): OamError {
  return new OamError(
    'untrusted_host',
    'This is not a Databricks host that you trust, so no sign-in was sent to it. Add it to the trusted workspace hosts if it is yours.',
    { detail: host },
  );
}
